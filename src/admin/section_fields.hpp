// The fields of the sections of a configuration file that are no objects of the target: how the
// daemon itself is set up. All of them are fixed while it runs. Reader, writer, comparison, schemas
// and reference walk for_each_section(). Constant data.
#pragma once

#include "field_json.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/core/fields/option_fields.hpp>

#include <array>
#include <limits>
#include <string_view>
#include <vector>

namespace fulmar {

template <>
struct core::words_of<admin::hugepage_use> {
    static constexpr std::array<std::string_view, 3> names{"auto", "on", "off"};
    static constexpr std::array values{admin::hugepage_use::automatic, admin::hugepage_use::on,
                                       admin::hugepage_use::off};
};

template <>
struct core::words_of<admin::admin_service> {
    static constexpr std::array<std::string_view, 2> names{"all", "metrics"};
    static constexpr std::array values{admin::admin_service::all, admin::admin_service::metrics};
};

template <>
struct core::members_of<admin::admin_options>
    : members_and<admin::admin_options, std::optional<admin::tcp_options>,
                  std::vector<admin::admin_listener>, std::vector<admin::client_role>> {};
template <>
struct core::members_of<admin::admin_listener>
    : members_and<admin::admin_listener, admin::admin_service> {};
template <>
struct core::members_of<admin::client_role> : members_and<admin::client_role, admin::role> {};
template <>
struct core::members_of<admin::file_options>
    : members_and<admin::file_options, std::optional<std::vector<std::string>>> {};
template <>
struct core::members_of<admin::core_options> : members_and<admin::core_options, std::vector<int>> {
};
template <>
struct core::members_of<admin::memory_options>
    : members_and<admin::memory_options, admin::hugepage_use> {};
template <>
struct core::members_of<admin::drive_options>
    : members_and<admin::drive_options, std::optional<std::vector<admin::drive_pattern>>,
                  std::vector<admin::attach_rule>> {};

}  // namespace fulmar

namespace fulmar::admin {

using core::field;
using core::field_form;
using core::field_need;

inline constexpr std::array<std::string_view, 5> level_words{"trace", "debug", "info", "warn",
                                                             "error"};
inline constexpr std::size_t max_socket_path_bytes = 107;  // sun_path
inline constexpr std::uint32_t max_busy_poll_us = 1'000'000;
inline constexpr std::uint32_t max_pool_mib = 1024 * 1024;
inline constexpr std::size_t max_pattern_bytes = 128;
inline constexpr std::string_view pattern_sample =
    "a pattern such as \"0000:0b:*\", or leave it out";

inline constexpr std::array tcp_fields{
    field<tcp_options>{&tcp_options::address,
                       {.name = "address",
                        .form = field_form::loopback,
                        .always_written = true,
                        .help = "127.0.0.1, or another address of this machine alone.",
                        .sample = "REST over TCP is served on 127.0.0.1 or ::1 only, until it has "
                                  "TLS: \"listeners\" has that"}},
    field<tcp_options>{&tcp_options::port,
                       {.name = "port",
                        .form = field_form::number,
                        .most = std::numeric_limits<std::uint16_t>::max(),
                        .always_written = true,
                        .help = "0: any free port."}},
    field<tcp_options>{&tcp_options::token_file,
                       {.name = "token_file",
                        .most = limits::max_path_bytes,
                        .help = "One line, mode 0600: a token with the role admin. Empty: named "
                                "tokens alone.",
                        .sample = "a file with the bearer token, mode 0600"}},
};

inline constexpr std::array admin_listener_fields{
    field<admin_listener>{&admin_listener::address,
                          {.name = "address",
                           .form = field_form::address,
                           .always_written = true,
                           .help = "Numeric IPv4 or IPv6. Other than a loopback address, it needs "
                                   "a certificate.",
                           .sample = "such as \"192.0.2.1\", \"0.0.0.0\" or \"::1\""}},
    field<admin_listener>{&admin_listener::port,
                          {.name = "port",
                           .form = field_form::number,
                           .most = std::numeric_limits<std::uint16_t>::max(),
                           .always_written = true,
                           .help = "0: any free port."}},
    field<admin_listener>{&admin_listener::certificate,
                          {.name = "certificate",
                           .most = limits::max_path_bytes,
                           .help = "A PEM file: the certificate of this machine and those that "
                                   "vouch for it. With one, TLS 1.3 is spoken. Read anew by a "
                                   "reload.",
                           .sample = "choose a shorter path"}},
    field<admin_listener>{&admin_listener::key,
                          {.name = "key",
                           .most = limits::max_path_bytes,
                           .help = "A PEM file with its private key, mode 0600.",
                           .sample = "choose a shorter path"}},
    field<admin_listener>{&admin_listener::client_ca,
                          {.name = "client_ca",
                           .most = limits::max_path_bytes,
                           .help = "A PEM file: whose certificates clients may have instead of a "
                                   "token; client_roles says who may do what.",
                           .sample = "choose a shorter path"}},
    field<admin_listener>{&admin_listener::serves,
                          {.name = "serves",
                           .form = field_form::word,
                           .words = core::words_of<admin_service>::names,
                           .help = "metrics: /metrics alone, whatever role somebody has."}},
};

inline constexpr std::array client_role_fields{
    field<client_role>{&client_role::certificate,
                       {.name = "certificate",
                        .form = field_form::pattern,
                        .least = 1,
                        .most = max_pattern_bytes,
                        .need = field_need::always,
                        .always_written = true,
                        .help = "A name of the client's certificate, with * ? and [ ] as in a "
                                "shell: \"CN=…\", or of its alternative names \"DNS:…\", "
                                "\"URI:…\", \"email:…\".",
                        .sample = "such as \"CN=monitoring\" or \"URI:spiffe://example/ops/*\""}},
    field<client_role>{&client_role::grants,
                       {.name = "role",
                        .form = field_form::word,
                        .words = core::words_of<role>::names,
                        .need = field_need::always,
                        .always_written = true,
                        .help = "What such a client may do.",
                        .sample = "\"metrics\", \"viewer\", \"operator\" or \"admin\""}},
};

inline constexpr std::array admin_fields{
    field<admin_options>{&admin_options::unix_socket,
                         {.name = "unix_socket",
                          .most = max_socket_path_bytes,
                          .always_written = true,
                          .help = "Where REST is served; empty: nowhere.",
                          .sample = "the kernel allows no more; choose a shorter path"}},
    field<admin_options>{&admin_options::socket_mode,
                         {.name = "socket_mode",
                          .form = field_form::file_mode,
                          .always_written = true,
                          .help = "Who may connect to the socket, besides its owner.",
                          .sample = "such as \"0660\" or \"0600\""}},
    field<admin_options>{&admin_options::tcp,
                         {.name = "tcp",
                          .form = field_form::object,
                          .help = "REST on loopback TCP too, with a bearer token.",
                          .schema = "admin_tcp"}},
    field<admin_options>{&admin_options::listeners,
                         {.name = "listeners",
                          .form = field_form::objects,
                          .most = limits::max_admin_listeners,
                          .help = "Where else REST is served over TCP, with TLS or on loopback.",
                          .schema = "admin_listener"}},
    field<admin_options>{&admin_options::client_roles,
                         {.name = "client_roles",
                          .form = field_form::objects,
                          .most = limits::max_client_roles,
                          .change = core::field_change::in_place,
                          .help = "What clients with a certificate may do; the first that fits "
                                  "counts, and one that none fits may do nothing.",
                          .schema = "client_role"}},
    field<admin_options>{&admin_options::tokens,
                         {.name = "tokens",
                          .most = limits::max_path_bytes,
                          .help = "The file of named tokens, which `fulmar token` writes; empty: "
                                  "FILE.tokens beside the journal.",
                          .sample = "choose a shorter path"}},
    field<admin_options>{&admin_options::audit,
                         {.name = "audit",
                          .form = field_form::flag,
                          .always_written = true,
                          .help = "A log line for every change."}},
};

inline constexpr std::array core_fields{
    field<core_options>{&core_options::data,
                        {.name = "data",
                         .form = field_form::number,
                         .least = 1,
                         .most = limits::max_data_reactors,
                         .always_written = true,
                         .help = "Data reactors."}},
    field<core_options>{&core_options::cpus,
                        {.name = "cpus",
                         .form = field_form::cpus,
                         .most = limits::max_data_reactors,
                         .always_written = true,
                         .help = "One per data reactor; none: the first CPUs that the process may "
                                 "use, one each, and no pinning where there are fewer CPUs than "
                                 "reactors.",
                         .sample = "such as 0; `lscpu -e` lists them"}},
    field<core_options>{&core_options::busy_poll_us,
                        {.name = "busy_poll_us",
                         .form = field_form::number,
                         .most = max_busy_poll_us,
                         .always_written = true,
                         .help = "How long an idle reactor polls before it sleeps."}},
};

inline constexpr std::array memory_fields{
    field<memory_options>{&memory_options::pool_mib,
                          {.name = "pool_mib",
                           .form = field_form::number,
                           .least = limits::min_pool_bytes >> 20,
                           .most = max_pool_mib,
                           .always_written = true,
                           .help = "Buffers for the data of I/O commands, per data reactor. Beside "
                                   "them each data reactor has 3 MiB that I/O cannot use up: 2 for "
                                   "administration, 1 for whoever has not been admitted."}},
    field<memory_options>{&memory_options::hugepages,
                          {.name = "hugepages",
                           .form = field_form::word,
                           .words = core::words_of<hugepage_use>::names,
                           .always_written = true,
                           .help = "auto: hugepages where there are enough. on: no start without "
                                   "them."}},
};

inline constexpr std::array pattern_fields{
    field<drive_pattern>{&drive_pattern::address,
                         {.name = "address",
                          .form = field_form::pattern,
                          .least = 1,
                          .most = max_pattern_bytes,
                          .help = "Where a drive is on the PCI bus, with * ? and [ ] as in a "
                                  "shell.",
                          .sample = pattern_sample}},
    field<drive_pattern>{&drive_pattern::serial,
                         {.name = "serial",
                          .form = field_form::pattern,
                          .least = 1,
                          .most = max_pattern_bytes,
                          .help = "The serial number that a drive tells, likewise.",
                          .sample = pattern_sample}},
    field<drive_pattern>{&drive_pattern::model,
                         {.name = "model",
                          .form = field_form::pattern,
                          .least = 1,
                          .most = max_pattern_bytes,
                          .help = "The model that a drive tells, likewise.",
                          .sample = pattern_sample}},
};

/// As the drive's device has it.
inline constexpr core::field_facts rule_write_cache = [] {
    core::field_facts facts = core::find_field<core::device_spec>("write_cache")->facts;
    facts.types = 0;
    return facts;
}();

/// What a rule has beside the pattern and what becomes of the namespace.
inline constexpr std::array rule_fields{
    field<attach_rule>{&attach_rule::subsystem,
                       {.name = "subsystem",
                        .form = field_form::nqn,
                        .least = 1,
                        .help = "Gets the drive's first namespace; without it there is a device "
                                "and no more.",
                        .sample = "such as \"nqn.2026-11.io.fulmar:disk1\""}},
    field<attach_rule>{&attach_rule::write_cache, rule_write_cache},
};

inline constexpr std::array drive_fields{
    field<drive_options>{&drive_options::allow,
                         {.name = "allow",
                          .form = field_form::objects,
                          .most = limits::max_drive_patterns,
                          .help = "Only these; without it all of them.",
                          .schema = "drive_pattern"}},
    field<drive_options>{&drive_options::auto_attach,
                         {.name = "auto_attach",
                          .form = field_form::objects,
                          .most = limits::max_drive_patterns,
                          .always_written = true,
                          .help = "The first rule that fits a drive without a device makes one.",
                          .schema = "attach_rule"}},
};

inline constexpr std::array file_fields{
    field<file_options>{&file_options::allow,
                        {.name = "allow",
                         .form = field_form::texts,
                         .most = limits::max_file_patterns,
                         .help = "Which paths REST may name for devices, with * ? and [ ] as in a "
                                 "shell, where * stops at a slash; a pattern that ends in /** is "
                                 "everything in a folder. Without it: what the file names, and "
                                 "what is in state_dir, where that is said; and whatever root, or "
                                 "the account of the daemon, names over the UNIX socket.",
                         .sample = "such as \"/srv/disks/*.img\" or \"/dev/disk/by-id/**\""}},
};

inline constexpr std::array log_fields{
    field<daemon_options>{&daemon_options::log_level,
                          {.name = "level",
                           .form = field_form::word,
                           .words = level_words,
                           .always_written = true,
                           .help = "The least severe lines that are written."}},
};

inline constexpr std::array discovery_fields{
    field<core::target_options>{&core::target_options::discovery_nqn,
                                {.name = "nqn",
                                 .form = field_form::nqn,
                                 .always_written = true,
                                 .help = "A unique name of the discovery service, beside the "
                                         "well-known one.",
                                 .sample = "a unique one; the well-known name is served in any "
                                           "case"}},
};

/// Members of the document itself.
inline constexpr std::array root_fields{
    field<daemon_options>{&daemon_options::state_dir,
                          {.name = "state_dir",
                           .most = limits::max_path_bytes,
                           .always_written = true,
                           .help = "Folder of the journal of changes; empty: the folder of the "
                                   "configuration file.",
                           .sample = "choose a shorter path"}},
};

/// The rules between the fields of one section.
void check_cores(object_reader& reader, const core_options& options);
void check_limits(object_reader& reader, const core::target_options& options);
void check_files_allowed(object_reader& reader, const file_options& options);

template <>
struct nested_object<tcp_options> {
    template <typename Part, typename Visit>
    static void parts(Part& object, Visit&& visit) {
        visit(tcp_fields, object);
    }
    static void check(object_reader&, const tcp_options&) {}
};

template <>
struct nested_object<admin_listener> {
    template <typename Part, typename Visit>
    static void parts(Part& object, Visit&& visit) {
        visit(admin_listener_fields, object);
    }
    static void check(object_reader& reader, const admin_listener& listener);
};

template <>
struct nested_object<client_role> {
    template <typename Part, typename Visit>
    static void parts(Part& object, Visit&& visit) {
        visit(client_role_fields, object);
    }
    static void check(object_reader&, const client_role&) {}
};

template <>
struct nested_object<drive_pattern> {
    template <typename Part, typename Visit>
    static void parts(Part& object, Visit&& visit) {
        visit(pattern_fields, object);
    }
    static void check(object_reader& reader, const drive_pattern& pattern);
};

template <>
struct nested_object<attach_rule> {
    template <typename Part, typename Visit>
    static void parts(Part& object, Visit&& visit) {
        visit(pattern_fields, object.which);
        visit(rule_fields, object);
        visit(core::loss_fields, object.use);
    }
    static void check(object_reader& reader, const attach_rule& rule);
};

/// One section: `part(options)` is what `table` describes, `check` the rules between its fields.
template <typename Table, typename Part, typename Check>
struct section {
    std::string_view name;  ///< empty: its fields are members of the document itself
    const Table& table;
    Part part;
    std::string_view help;
    Check check;
};

/// Calls `visit` with each section, in the order of the document.
template <typename Visit>
void for_each_section(Visit&& visit) {
    const auto one = [&visit]<typename Table, typename Part, typename Check>(
                         std::string_view name, const Table& table, Part part,
                         std::string_view help, Check check) {
        visit(section<Table, Part, Check>{name, table, part, help, check});
    };
    const auto no_rules = [](object_reader&, const auto&) {};
    const auto self = [](auto& options) -> auto& { return options; };
    const auto target = [](auto& options) -> auto& { return options.target; };
    one(
        "admin", admin_fields, [](auto& options) -> auto& { return options.admin; },
        "How the daemon is administered.", no_rules);
    one(
        "cores", core_fields, [](auto& options) -> auto& { return options.cores; },
        "The threads that serve hosts.", check_cores);
    one(
        "memory", memory_fields, [](auto& options) -> auto& { return options.memory; },
        "Where buffers are.", no_rules);
    one(
        "drives", drive_fields, [](auto& options) -> auto& { return options.drives; },
        "Which NVMe drives may be taken, and what becomes of one that arrives.", no_rules);
    one(
        "files", file_fields, [](auto& options) -> auto& { return options.files; },
        "Which files and block devices REST may name.", check_files_allowed);
    one("log", log_fields, self, "What the daemon tells.", no_rules);
    one("", root_fields, self, "", no_rules);
    one("discovery", discovery_fields, target, "The discovery service.", no_rules);
    one("limits", core::limit_fields, target, "What hosts may ask for.", check_limits);
    one("timeouts", core::timeout_fields, target, "How long things may take.", no_rules);
}

}  // namespace fulmar::admin
