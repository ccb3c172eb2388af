package missioncontrol.policies.production_minimum_nodes_test

import data.missioncontrol.policies.production_minimum_nodes as policy

production := {"labels": {"environment": "production"}}

staging := {"labels": {"environment": "staging"}}

datacenter(size) := {"name": "dc1", "field": "spec.datacenters[0]", "dataPlane": "plane-1", "size": size}

review(plane, size, old) := {
	"operation": "CREATE",
	"cluster": {"datacenters": [datacenter(size)]},
	"oldCluster": old,
	"dataPlanes": {"plane-1": plane},
}

test_one_node_in_production_is_refused_at_its_size if {
	some violation in policy.violation with input as review(production, 1, null)
	violation.field == "spec.datacenters[0].size"
	contains(violation.message, "dc1 has 1 node on")
	contains(violation.message, "at least 3")
}

test_two_nodes_in_production_are_refused if {
	count(policy.violation) == 1 with input as review(production, 2, null)
}

test_three_nodes_in_production_are_enough if {
	count(policy.violation) == 0 with input as review(production, 3, null)
}

test_other_environments_are_free if {
	count(policy.violation) == 0 with input as review(staging, 1, null)
}

test_a_plane_without_labels_is_free if {
	count(policy.violation) == 0 with input as review({}, 1, null)
}

test_what_was_small_before_the_label_may_change_otherwise if {
	old := {"datacenters": [datacenter(1)]}
	count(policy.violation) == 0 with input as review(production, 1, old)
}

test_growth_that_stays_too_small_is_refused if {
	old := {"datacenters": [datacenter(1)]}
	count(policy.violation) == 1 with input as review(production, 2, old)
}

test_each_datacenter_is_judged_on_its_own_plane if {
	found := policy.violation with input as {
		"cluster": {"datacenters": [
			{"name": "a", "field": "f[0]", "dataPlane": "p", "size": 1},
			{"name": "b", "field": "f[1]", "dataPlane": "s", "size": 1},
			{"name": "c", "field": "f[2]", "dataPlane": "p", "size": 3},
		]},
		"oldCluster": null,
		"dataPlanes": {"p": production, "s": staging},
	}
	{violation.field | some violation in found} == {"f[0].size"}
}
