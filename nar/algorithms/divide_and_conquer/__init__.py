"""Maximum subarrays."""
