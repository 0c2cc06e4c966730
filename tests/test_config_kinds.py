import pytest

from vestri.config import nodes
from vestri.config.kinds import Anything, Either, Key, ListOf, MapOf, OrNull, Section
from vestri.config.reading import INVALID, Place, Reading
from vestri.config.scalars import BOOLEAN, duration, or_off, text, whole

INNER = Section(Key("interval", duration(), "How often."), Key("rise", whole(1), "How many."))
OUTER = Section(
    Key("name", text("a name"), "Its name.", required=True),
    Key("health", INNER, "How it is probed."),
    Key("size", whole(), "How large."),
)


def read(kind, written):
    """(what a kind makes of a text, or INVALID; the problems on the way)."""
    reading = Reading("", {}, {})
    value = kind.read(Place(nodes.parse(written)), reading)
    return value, [str(problem).removeprefix(":") for problem in reading.problems]


def problems(kind, written):
    return read(kind, written)[1]


def value(kind, written):
    made, faults = read(kind, written)
    assert faults == []
    return made


def test_a_section_holds_what_is_there_and_valid():
    made, faults = read(OUTER, "name: web\nhealth: {interval: 5s, rise: 0}\nsize: many\n")
    assert made == {"name": "web", "health": {"interval": 5.0}}
    assert faults == [
        "2:30: health.rise: expected a whole number of at least 1, got '0'",
        "3:7: size: expected a whole number of at least 0, got 'many'",
    ]


def test_a_section_knows_where_its_keys_and_values_stand():
    made, _ = read(OUTER, "name: web\nsize: many\n")
    assert (made.key_at("size").node.column, made.at("size").node.column) == (1, 7)
    assert made.at("health") is made.place
    assert made.has("size")
    assert not made.has("health")


@pytest.mark.parametrize(
    ("reason", "written", "expected"),
    [
        ("close to a key", "name: a\nsise: 1\n", ["2:1: sise: unknown key 'sise'; did you mean size?"]),
        ("in other letters", "name: a\nSize: 1\n", ["2:1: Size: unknown key 'Size'; did you mean size?"]),
        ("a key further in", "name: a\nrise: 1\n", ["2:1: rise: unknown key 'rise'; did you mean health.rise?"]),
        (
            "close to one",
            "name: a\nintervall: 1\n",
            ["2:1: intervall: unknown key 'intervall'; did you mean health.interval?"],
        ),
        ("close to none", "name: a\ntls: 1\n", ["2:1: tls: unknown key 'tls'; expected name, health, size"]),
        ("empty", "name: a\n'': 1\n", ["2:1: '': unknown key ''; expected name, health, size"]),
        ("missing", "size: 1\n", ["1:1: expected a key 'name', which is missing"]),
        ("mistyped, not missing", "nmae: a\n", ["1:1: nmae: unknown key 'nmae'; did you mean name?"]),
        ("of the wrong kind, not missing", "name: [a]\n", ["1:7: name: expected a name, got a list"]),
        ("twice", "name: a\nname: b\n", ["2:1: name: duplicate key, first given on line 1"]),
        ("twice, once in quotes", "name: a\n'name': b\n", ["2:1: name: duplicate key, first given on line 1"]),
        ("a list", "name: a\n[b]: 1\n", ["2:1: expected a key, got a list"]),
        ("a merge", "name: a\n<<: {size: 1}\n", ["2:1: <<: merge keys are not supported; write the keys out"]),
    ],
)
def test_a_key_that_is_wrong_is_told_once(reason, written, expected):
    assert problems(OUTER, written) == expected


def test_a_section_of_many_keys_does_not_list_them_all():
    many = Section(*(Key(f"key{number}", text(), "A key.") for number in range(13)))
    assert problems(many, "other: 1\n") == ["1:1: other: unknown key 'other'"]
    assert problems(many, "[a]") == ["1:1: expected a mapping, got a list"]


@pytest.mark.parametrize("written", ["[a]", "a"])
def test_what_is_no_mapping_is_refused_with_the_keys_that_it_would_have(written):
    (fault,) = problems(INNER, written)
    assert fault.startswith("1:1: expected a mapping with interval, rise, got ")


@pytest.mark.parametrize("written", ["a:", "a: null", "a: ~", "a: {}"])
def test_a_section_of_which_nothing_is_written_is_empty(written):
    assert value(Section(Key("a", INNER, "A section.")), written) == {"a": {}}


def test_keys_of_ones_own_are_kept_where_a_section_allows_them():
    section = Section(Key("weight", whole(), "A number."), others=Anything())
    assert value(section, "{weight: 2, wieght: x, '<<': y}") == {"weight": 2, "wieght": "x", "<<": "y"}


ALTERNATIVES = Section(
    Key("replicas", text(), "The servers."), Key("redirect", text(), "Elsewhere."), one_of=("replicas", "redirect")
)


@pytest.mark.parametrize(
    ("reason", "written", "expected"),
    [
        ("the usual one", "replicas: a", []),
        ("the other", "redirect: a", []),
        ("none", "{}", ["1:1: expected a key 'replicas', which is missing"]),
        ("none, but one is mistyped", "replica: a", ["1:1: replica: unknown key 'replica'; did you mean replicas?"]),
        ("both", "replicas: a\nredirect: b", ["2:1: redirect: expected either replicas or redirect, got both"]),
    ],
)
def test_of_some_keys_one_must_be_there(reason, written, expected):
    assert problems(ALTERNATIVES, written) == expected


LATER = Section(
    Key("queue", INNER, "A queue.", supported=False),
    Key("watch", BOOLEAN, "Whether.", supported=False, absence=False),
    Key("hedge", or_off(duration()), "When.", supported=False),
)


@pytest.mark.parametrize("written", ["queue:", "queue: null", "watch: false", "hedge: off", "{}"])
def test_a_key_that_asks_for_nothing_may_be_there_before_its_behaviour_is(written):
    assert problems(LATER, written) == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("queue: {}", ["1:1: queue: not supported yet"]),
        ("watch: true", ["1:1: watch: not supported yet"]),
        ("hedge: 1s", ["1:1: hedge: not supported yet"]),
        ("watch: 1", ["1:8: watch: expected true or false, got '1'"]),
    ],
)
def test_a_key_without_its_behaviour_is_checked_and_then_refused(written, expected):
    assert problems(LATER, written) == expected


def test_a_mapping_of_free_names_keeps_their_order_and_checks_both_sides():
    kind = MapOf(text("a short name", ".{1,3}"), whole())
    assert list(value(kind, "{b: 1, a: 2}").items()) == [("b", 1), ("a", 2)]
    assert value(Section(Key("a", kind, "A map.")), "a:") == {"a": {}}
    assert problems(kind, "{long: 1, b: x}") == [
        "1:2: long: expected a short name, got 'long'",
        "1:14: b: expected a whole number of at least 0, got 'x'",
    ]
    assert problems(kind, "[a]") == ["1:1: expected a mapping, got a list"]


def test_a_list_keeps_its_valid_items_and_their_places():
    made, faults = read(ListOf(whole(), "a list of numbers"), "[1, x, 3]")
    assert made == (1, 3)
    assert [place.path for place in made.places] == ["[0]", "[2]"]
    assert faults == ["1:5: [1]: expected a whole number of at least 0, got 'x'"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[]", "expected a list of numbers, got an empty one"),
        ("5", "expected a list of numbers, got '5'"),
        ("a: 5", "expected a list of numbers, got a mapping; begin each with '- '"),
    ],
)
def test_what_is_no_list_is_refused(written, expected):
    assert problems(ListOf(whole(), "a list of numbers", 1), written) == [f"1:1: {expected}"]


def test_a_list_may_be_empty_where_nothing_is_asked_of_it():
    assert value(ListOf(whole(), "a list of numbers"), "[]") == ()


@pytest.mark.parametrize(
    ("written", "made"), [("5", 5), ("[5]", (5,)), ("{rise: 5}", {"rise": 5}), ("~", {}), ("[]", ())]
)
def test_a_value_may_have_one_kind_for_each_shape(written, made):
    assert value(Either(word=whole(), list_of=ListOf(whole(), "a list"), section=INNER), written) == made


@pytest.mark.parametrize(
    ("reason", "kind", "written", "expected"),
    [
        (
            "no such shape",
            Either(word=whole(), section=INNER),
            "[5]",
            "expected a whole number of at least 0 or a mapping with interval, rise, got a list",
        ),
        ("nothing, where a word is wanted", Either(word=text("a name")), "~", "expected a name, got nothing"),
        (
            "nothing, where a mapping could not be empty",
            Either(word=text("a name"), section=Section(Key("name", text(), "Its name.", required=True))),
            "~",
            "expected a name or a mapping with name, got nothing",
        ),
    ],
)
def test_a_shape_that_a_value_may_not_have_is_refused(reason, kind, written, expected):
    assert problems(kind, written) == [f"1:1: {expected}"]


def test_null_can_be_a_value():
    kind = OrNull(whole())
    assert value(kind, "~") is None
    assert value(kind, "5") == 5
    assert kind.expected == "a whole number of at least 0, or null"


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("5", 5),
        ("-5", -5),
        ("0", 0),
        ("true", True),
        ("null", None),
        ("'5'", "5"),
        ("'true'", "true"),
        ("1.10", "1.10"),
        ("007", "007"),
        ("yes", "yes"),
        ("off", "off"),
        ("8:30", "8:30"),
        ("{a: [1, {b: c}]}", {"a": [1, {"b": "c"}]}),
    ],
)
def test_free_values_become_numbers_only_where_that_loses_nothing(written, made):
    assert value(Anything(), written) == made


def test_free_values_take_environment_variables_and_refuse_duplicates():
    reading = Reading("", {"ZONE": "eu"}, {})
    place = Place(nodes.parse("{zone: '${ZONE}', rack: '${RACK}', zone: x}"))
    assert Anything().read(place, reading) == {"zone": "eu", "rack": INVALID}
    assert [problem.path for problem in reading.problems] == ["rack", "zone"]
