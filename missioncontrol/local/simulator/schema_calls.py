"""The management API for what a whole ring shares: keyspaces, tables, roles."""

from __future__ import annotations

from typing import Final

from missioncontrol.local.simulator.answers import OK, Answer, NodeCall, NodeHandler
from missioncontrol.local.simulator.context import Context


async def list_keyspaces(context: Context, call: NodeCall) -> Answer:
    wanted = call.query.get("keyspaceName", "").strip()
    found = context.tenants.keyspaces(call.node.ring)
    return Answer(200, [name for name in found if not wanted or name == wanted])


async def replication(context: Context, call: NodeCall) -> Answer:
    name = call.query.get("keyspaceName", "").strip()
    if not name:
        return Answer(400, "Get keyspace replication failed. Non-empty 'keyspaceName' must be provided")
    found = context.tenants.replication(call.node.ring, name)
    if found is None:
        return Answer(404, f"Get keyspace replication failed. Keyspace '{name}' does not exist.")
    return Answer(200, found)


def put_keyspace(*, alter: bool) -> NodeHandler:
    what = "Altering Keyspace" if alter else "Keyspace creation"

    async def handle(context: Context, call: NodeCall) -> Answer:
        name = str(call.body.get("keyspace_name") or "").strip()
        settings = call.body.get("replication_settings")
        if not name:
            return Answer(400, f"{what} failed. Non-empty 'keyspace_name' must be provided")
        if not isinstance(settings, list) or not settings:
            return Answer(400, f"{what} failed. 'replication_settings' must be provided")
        try:
            factors = {str(s["dc_name"]): int(s["replication_factor"]) for s in settings}
        except (KeyError, TypeError, ValueError) as error:
            return Answer(400, f"{what} failed. A replication setting cannot be read: {error}")
        refused = context.tenants.put_keyspace(call.node, name, factors, alter=alter, now=context.clock())
        return OK if refused is None else Answer(500, refused.sentence)

    return handle


async def list_tables(context: Context, call: NodeCall) -> Answer:
    keyspace = call.query.get("keyspaceName", "").strip()
    if not keyspace:
        return Answer(400, "List tables failed. Non-empty 'keyspaceName' must be provided")
    return Answer(200, context.tenants.tables(call.node.ring, keyspace))


async def create_table(context: Context, call: NodeCall) -> Answer:
    keyspace, table = call.body.get("keyspace_name"), call.body.get("table_name")
    for name, value in (
        ("keyspace_name", keyspace),
        ("table_name", table),
        ("columns", call.body.get("columns")),
    ):
        if not value:
            return Answer(400, f"Table creation failed: '{name}' must not be empty")
    refused = context.tenants.create_table(call.node.ring, str(keyspace), str(table))
    return OK if refused is None else Answer(500, refused.sentence)


async def create_role(context: Context, call: NodeCall) -> Answer:
    name = call.query.get("username", "").strip()
    if not name:
        return Answer(400, "Username is empty")
    if not call.query.get("password", "").strip():
        return Answer(400, "Password is empty")
    context.tenants.put_role(
        call.node.ring, name, superuser=call.flag("is_superuser"), login=call.flag("can_login")
    )
    return OK


async def drop_role(context: Context, call: NodeCall) -> Answer:
    name = call.query.get("username", "").strip()
    if not name:
        return Answer(400, "Username is empty")
    refused = context.tenants.drop_role(call.node.ring, name)
    return OK if refused is None else Answer(500, refused.sentence)


async def list_roles(context: Context, call: NodeCall) -> Answer:
    return Answer(200, context.tenants.roles(call.node.ring))


async def identity_to_role(context: Context, call: NodeCall) -> Answer:
    return OK


SCHEMA_ROUTES: Final[dict[tuple[str, str], NodeHandler]] = {
    ("GET", "/api/v0/ops/keyspace"): list_keyspaces,
    ("GET", "/api/v0/ops/keyspace/replication"): replication,
    ("POST", "/api/v0/ops/keyspace/create"): put_keyspace(alter=False),
    ("POST", "/api/v0/ops/keyspace/alter"): put_keyspace(alter=True),
    ("GET", "/api/v0/ops/tables"): list_tables,
    ("POST", "/api/v0/ops/tables/create"): create_table,
    ("GET", "/api/v0/ops/auth/role"): list_roles,
    ("POST", "/api/v0/ops/auth/role"): create_role,
    ("DELETE", "/api/v0/ops/auth/role"): drop_role,
    ("POST", "/api/v1/ops/auth/identity_to_role"): identity_to_role,
    ("DELETE", "/api/v1/ops/auth/identity_to_role"): identity_to_role,
}
