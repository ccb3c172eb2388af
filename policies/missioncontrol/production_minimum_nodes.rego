# METADATA
# title: Datacenters in production have at least three nodes
# description: |
#   With fewer, no replica set survives the loss of a node while it keeps a quorum. It applies to data planes
#   labelled environment=production. A datacenter that exists already is judged when its size changes, so that
#   labelling a data plane never blocks unrelated changes of what runs there.
package missioncontrol.policies.production_minimum_nodes

minimum := 3

violation contains {"field": sprintf("%s.size", [datacenter.field]), "message": message} if {
	some datacenter in input.cluster.datacenters
	is_production(datacenter.dataPlane)
	datacenter.size < minimum
	not unchanged(datacenter)
	message := sprintf(
		"datacenter %s has %s on data plane %s, which is labelled environment=production and needs at least %d",
		[datacenter.name, nodes(datacenter.size), datacenter.dataPlane, minimum],
	)
}

is_production(name) if input.dataPlanes[name].labels.environment == "production"

unchanged(datacenter) if {
	some old in input.oldCluster.datacenters
	old.name == datacenter.name
	old.dataPlane == datacenter.dataPlane
	old.size == datacenter.size
}

nodes(1) := "1 node"

nodes(size) := sprintf("%d nodes", [size]) if size != 1
