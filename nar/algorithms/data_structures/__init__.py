"""Operations on data structures, which arrive one per step, and their answers."""
