"""The tables that the lint checks the tree against. Whoever bends a rule bends it here."""

# Which layer may include which: the table of docs/ARCHITECTURE.md. A name is a whole layer, a path
# is that one public header of it. The transports never include one another.
LAYERS = {
    "base": [],
    "nvme": ["base"],
    "security": ["base", "nvme"],
    "engine": ["base"],
    "mem": ["base"],
    "vfio": ["base"],
    "backend": ["base", "nvme", "engine", "mem", "vfio"],
    "hotplug": ["base", "nvme", "engine", "mem", "vfio"],
    "core": ["base", "nvme", "security", "engine", "mem", "backend/device.hpp", "backend/io_op.hpp"],
    "transport": [
        "base",
        "nvme",
        "security",
        "engine",
        "mem",
        "core/transport.hpp",
        "core/request.hpp",
        "core/obligation.hpp",
        "core/qpair.hpp",
        "core/secure_channel.hpp",
        "core/tls_host_keys.hpp",
        "core/connect_op.hpp",
        "core/listener_places.hpp",
        "core/poll_group.hpp",
        "core/target.hpp",
        "core/model.hpp",
        "core/status_report.hpp",
        "core/counter_source.hpp",
    ],
    "admin": [
        "base",
        "nvme",
        "security",
        "engine",
        "mem",
        "vfio/drives.hpp",
        "core/control.hpp",
        "core/device_paths.hpp",
        "core/spec_rules.hpp",
        "core/spec_changes.hpp",
        "core/new_object_rules.hpp",
        "core/fields/edits.hpp",
        "core/fields/field.hpp",
        "core/fields/field_compare.hpp",
        "core/fields/device_fields.hpp",
        "core/fields/endpoint_fields.hpp",
        "core/fields/namespace_fields.hpp",
        "core/fields/option_fields.hpp",
        "core/fields/subsystem_fields.hpp",
        "core/model.hpp",
        "core/description.hpp",
        "core/status_report.hpp",
    ],
    "drives": [
        "base",
        "nvme",
        "engine",
        "mem",
        "vfio",
        "backend",
        "hotplug",
        "core",
        "admin",
    ],
    "host": ["base", "nvme", "security"],
    "cli": [
        "base",
        "nvme",
        "security",
        "vfio",
        "host",
        "core/model.hpp",
        "core/fields/field_compare.hpp",
    ],
    "app": [
        "base",
        "nvme",
        "security",
        "engine",
        "mem",
        "vfio",
        "backend",
        "hotplug",
        "core",
        "transport",
        "admin",
        "drives",
    ],
}

# Third-party headers and the layers that may see them: (pattern of the header, layers, why).
THIRD_PARTY = [
    (r"boost/(asio|beast|url)", ["admin", "cli"], "the data path has its own reactor"),
    (r"nlohmann/", ["admin", "cli", "app"], "the core takes typed specs, not JSON"),
    (r"spdlog/", ["base"], "log through fulmar/base/log.hpp, which limits what a peer can write"),
    (r"prometheus/", ["admin"], "reactors keep plain counters; admin sums them"),
    (r"CLI/", ["cli", "app"], "only programs have a command line"),
    (r"openssl/", ["admin", "security", "cli"], "TLS of the administration; else fulmar/security"),
    (r"liburing", ["engine", "backend", "transport"], "rings belong to reactors"),
    (r"(infiniband|rdma)/", ["transport", "host"], "verbs end at transport and host"),
    (r"linux/vfio", ["vfio"], "everybody else sees fulmar/vfio"),
    (r"rte_", ["engine", "mem", "app"], "DPDK ends at engine and mem; app starts it"),
    (r"systemd/", ["app"], "only the program is a service"),
    (r"isa-l", ["nvme"], "checksums through fulmar/nvme"),
    (r"(gtest|gmock|benchmark)/", [], "test code lives in tests/"),
]

# Folders whose code runs per command: no allocation, lock, exception or type erasure there.
DATA_PATH = ["nvme", "engine", "mem", "backend", "core", "transport"]
ALL = list(LAYERS)


def but(*names):
    return [layer for layer in ALL if layer not in names]


# Words that had to be learnt here, and what stands for them now (docs/glossary.md).
RETIRED = {
    "haste": "scoped_rt_priority",
    "calm_down": "restore",
    "roster": "device_list",
    "farewells?": "lingering close",
    "work_account": "send_queue_tracker",
    "the_book": "checker",
    "breach": "violation",
    "change_gate": "change_lock",
    "operation_sight": "operation_inputs",
    "come_home": "on_done",
    "left_alone": "on_abandoned",
    "take_in": "parse_input",
    "may_complain": "may_log_peer_error",
    "patient_file": "bounded_open_file",
    "manners": "fault_profile",
    "channel_place": "reactor_queue",
    "drive_sign": "drive_fault",
    "graveyard|graves?|dig_up|bury|buried": "orphan, reap_orphan",
    "hoards?": "buffered_bytes",
    "gate_position::(?:fenced|held)": "quiesced, waiting_for_device",
}

# (name, pattern in code without comments and strings, layers, file names, what to use instead)
# Exceptions are single files, each with its reason, in tests/lint/allow.txt.
BANS = [
    ("assert", r"(?<![\w.])assert\s*\(", ALL, ".*", "FULMAR_ASSERT, which stays on in release"),
    (
        "thread",
        r"\bstd::j?thread\b(?!::)|\bpthread_create\b|\bstd::async\b",
        but("engine"),
        ".*",
        "engine::reactor_pool or the engine's helper thread",
    ),
    (
        "function",
        r"\bstd::function\b",
        DATA_PATH,
        ".*",
        "a function pointer beside the object, as in io_op",
    ),
    (
        "shared_ptr",
        r"\b(?:std::)?(?:shared_ptr|make_shared|weak_ptr)\b",
        DATA_PATH,
        ".*",
        "one owner, and a slot_id with a generation for everybody else",
    ),
    (
        "iostream",
        r"#\s*include\s*<(?:iostream|fstream|sstream)>",
        ["base", *DATA_PATH],
        ".*",
        "fmt, base/log.hpp, or a unique_fd",
    ),
    (
        "regex",
        r"\bstd::regex\b|#\s*include\s*<regex>",
        ALL,
        ".*",
        "a hand-written parser, or from_chars",
    ),
    ("throw", r"\bthrow\b", DATA_PATH, ".*", "result<T>, or a status word"),
    # `unique_ptr<x>(new x(...))`, for a private constructor, is what make_unique would do.
    (
        "new",
        r"(?<![\w:.#])new\s+[\w:]|\b(?:m|c|re)alloc\s*\(",
        DATA_PATH,
        ".*",
        "an array sized at start, a pool, or make_unique before the reactor runs",
    ),
    (
        "lock",
        r"\bstd::(?:recursive_|shared_|timed_)?mutex\b|\bstd::condition_variable\b",
        ["nvme", "backend", "core", "transport"],
        ".*",
        "a message to the owner's mailbox",
    ),
    (
        "sleep",
        r"\bsleep_(?:for|until)\b|(?<!\w)::sleep\s*\(|\b(?:u|nano)sleep\s*\(",
        DATA_PATH,
        ".*",
        "a timer of the reactor",
    ),
    (
        "coroutine",
        r"\bco_(?:await|yield|return)\b",
        ALL,
        ".*",
        "an object with a stage enum (the shipping compiler destroys temporaries twice)",
    ),
    ("using-std", r"\busing\s+namespace\s+std\s*;", ALL, ".*", "the names one by one"),
    (
        "foreign-assert",
        r"\bFULMAR_D?ASSERT\b",
        ALL,
        r"(?:.*_parse|pdu_reader|completion)\.[ch]pp",
        "a named outcome: foreign bytes are never our own mistake",
    ),
    (
        "bit-field",
        r"^\s*(?:unsigned|int|bool|(?:std::)?u?int\d+_t)\s+\w+\s*:\s*\d+\s*[;=]",
        ["nvme"],
        ".*",
        "masks and shifts: bit-field order is the compiler's choice",
    ),
]

# What types of devices and transports are called. Each word belongs to its folder and to the places
# below; everybody else asks the tables of fields, or the device or transport what it is.
TYPE_WORDS = ["null", "ram", "file", "pcie", "nbd", "rbd", "fault", "tcp", "rdma", "loopback"]
TYPE_WORD_PLACES = {
    "include/fulmar/core/fields/device_fields.hpp": "the table of the fields of devices",
    "include/fulmar/core/fields/endpoint_fields.hpp": "the table of the fields of listeners",
    "include/fulmar/core/model.hpp": "the default of a listener's transport",
    "include/fulmar/nvme/discovery.hpp": "the specification's transport types",
    "src/admin/json_tree.cpp": "JSON's null",
    "src/admin/section_fields.hpp": "the member tcp of the section admin",
    "src/app/device_factory.cpp": "the factory of devices",
    "src/cli/target_options.cpp": "the tool's factory of hosts",
}

# Where a declaration must say on whose thread it is called.
AFFINITY_LAYERS = ["engine", "mem", "vfio", "backend", "core", "admin"]

FUNCTION_LINES = 70
FILE_LINES_AIM = 600
FILE_LINES = 1000
COLUMNS = 100
SCRIPT_COLUMNS = 140  # one-line descriptions and format strings of shell and Python
README_LINES = 15
OPENING_LINES = 10
