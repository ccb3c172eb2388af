"""The admission webhook server: what enters a plane is completed, judged, and refused with its reason."""
