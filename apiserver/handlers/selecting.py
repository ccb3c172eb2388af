"""What a request selects: its fields as the store knows them, and what is said of it before they are."""

from __future__ import annotations

import re

from apiserver.call import Call
from apiserver.context import Context
from apiserver.kinds import Served
from apiserver.selectors import FieldTerm, format_fields, parse_fields, parse_labels
from apiserver.status import Failure, bad_request
from apiserver.storage import LIST_PARAMETERS, WATCH_PARAMETERS
from apiserver.watchcache.entries import EntryReader, Selection, selection

_OF_THE_PAST = re.compile("(?:resource version|continue token|continue key)\\b")


async def stored_terms(context: Context, call: Call, served: Served) -> list[FieldTerm]:
    """The user's field selector, translated, and what tells this kind from others.

    A field that cannot be selected by is refused: ignored, it would select everything. kube-apiserver reads
    all parameters before, and judges how they go together: what it has to say of them is said first.
    """
    try:
        terms = parse_fields(call.query.get("fieldSelector"))
    except Failure as problem:
        raise await told_first(context, call, served, problem, codes=(400,)) from problem
    try:
        return [*(stored_term(served, term) for term in terms), *served.selection]
    except Failure as problem:
        raise await told_first(context, call, served, problem, codes=(400, 422)) from problem


async def told_first(
    context: Context, call: Call, served: Served, problem: Failure, *, codes: tuple[int, ...]
) -> Failure:
    """What the store says, with one of these codes, of the parameters of a list; or the problem."""
    path = served.info.stored.path(call.info.namespace or None)
    try:
        if call.info.verb == "watch":
            query = [*call.pick(WATCH_PARAMETERS), ("watch", "true")]
            async with context.store.watch(call, served.face, path, query):
                return problem
        query = call.pick([*LIST_PARAMETERS, "timeoutSeconds", "sendInitialEvents"])
        await context.store.read(call, served.face, path, [*query, ("limit", "1")])
    except Failure as refusal:
        # of versions and tokens it says the same code, but only when it looks for what was selected
        if refusal.code in codes and not _OF_THE_PAST.search(str(refusal)):
            return refusal
    return problem


def stored_term(served: Served, term: FieldTerm) -> FieldTerm:
    """A term about a field of the store; 400 for a field that nothing is selected by."""
    if term.field not in served.selectable:
        raise bad_request(f"field label not supported: {term.field}")
    if term.field == "metadata.name":
        return FieldTerm(term.field, served.face.stored_name(term.value), term.equal)
    return FieldTerm(served.face.stored_field_path(term.field), term.value, term.equal)


def field_selector(terms: list[FieldTerm]) -> list[tuple[str, str]]:
    """The parameter of a request to the store."""
    return [("fieldSelector", format_fields(terms))] if terms else []


def select(reader: EntryReader, call: Call, terms: list[FieldTerm]) -> Selection | None:
    """What the request is about, among cached objects; None when that cannot be told from the cache."""
    try:
        labels = parse_labels(call.query.get("labelSelector"))
    except Failure:
        return None  # the store knows more operators, and says better what it does not know
    return selection(reader, call.info.namespace, terms, labels)
