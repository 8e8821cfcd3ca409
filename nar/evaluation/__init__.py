from nar.evaluation.scores import SCORES, decide, score_decided, score_outputs
