"""The admission webhook server, one program for the control plane and for every data plane."""
