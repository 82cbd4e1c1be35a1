"""What sliding the objective brings: the curve, its sentences, and the objective that meets a target."""
