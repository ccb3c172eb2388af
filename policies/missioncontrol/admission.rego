# METADATA
# title: Admission decision
# description: |
#   The one document that admission, planning and audit ask for. A policy is a package under
#   missioncontrol.policies with a set `violation` of objects {field, message}; nothing else has to be
#   registered. The document is always defined: whoever asks treats an undefined answer as a refusal.
# entrypoint: true
package missioncontrol.admission

decision := {
	"evaluated": evaluated,
	"violations": violations,
}

evaluated contains name if some name, _ in data.missioncontrol.policies

violations contains {"policy": name, "field": violation.field, "message": violation.message} if {
	some name
	some violation in data.missioncontrol.policies[name].violation
}
