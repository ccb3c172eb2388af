"""The façade beside a native resource: the same requests to both; a difference is a fault, or it is listed.

Nothing that a native resource can tell is typed here as an expectation: kube-apiserver itself, with a
CustomResourceDefinition of the same shape, says what the answer is.
"""
