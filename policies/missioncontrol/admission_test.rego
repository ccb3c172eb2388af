package missioncontrol.admission_test

import data.missioncontrol.admission

review := {
	"operation": "CREATE",
	"cluster": {"name": "demo", "namespace": "default", "datacenters": [{
		"name": "dc1",
		"field": "spec.k8ssandra.cassandra.datacenters[0]",
		"dataPlane": "plane-1",
		"size": 1,
	}]},
	"oldCluster": null,
	"dataPlanes": {"plane-1": {"labels": {"environment": "production"}}},
}

test_the_decision_is_defined_for_anything if {
	admission.decision.violations == set() with input as {}
	admission.decision.violations == set() with input as {"cluster": null}
}

test_the_decision_names_the_policies_that_were_evaluated if {
	"production_minimum_nodes" in admission.decision.evaluated with input as {}
}

test_a_violation_carries_the_name_of_its_policy if {
	some violation in admission.decision.violations with input as review
	violation.policy == "production_minimum_nodes"
	violation.field == "spec.k8ssandra.cassandra.datacenters[0].size"
	contains(violation.message, "dc1")
}
