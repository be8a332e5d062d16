// The sections of the configuration file. See fulmar/admin/config.hpp.
#include "numeric_address.hpp"
#include "read_target.hpp"
#include "section_fields.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/base/limits.hpp>

#include <fmt/format.h>

#include <set>

namespace fulmar::admin {

void check_cores(object_reader& reader, const core_options& options) {
    const std::vector<int>& cpus = options.cpus;
    if (!cpus.empty() && cpus.size() != options.data)
        reader.complain(
            "cpus", fmt::format("names {} CPUs for {} data reactors", cpus.size(), options.data),
            "one CPU for each, or none");
    if (std::set(cpus.begin(), cpus.end()).size() != cpus.size())
        reader.complain("cpus", "names a CPU twice", "one CPU for each data reactor, or none");
}

void check_limits(object_reader& reader, const core::target_options& options) {
    if ((options.max_transfer_bytes & (options.max_transfer_bytes - 1)) != 0)
        reader.complain("max_transfer", "must be a power of two",
                        "hosts learn it as MDTS, which counts in powers of two");
    if (options.in_capsule_bytes % 512 != 0)
        reader.complain("in_capsule", "must be a multiple of 512", "such as \"8KiB\", or 0");
}

void check_files_allowed(object_reader& reader, const file_options& options) {
    if (!options.allow) return;
    for (const std::string& pattern : *options.allow)
        if (pattern.empty() || pattern.size() > limits::max_path_bytes)
            reader.complain(
                "allow",
                fmt::format("has a pattern of other than 1 to {} bytes", limits::max_path_bytes),
                "such as \"/srv/disks/*.img\"");
}

void nested_object<admin_listener>::check(object_reader& reader, const admin_listener& listener) {
    if (listener.certificate.empty() != listener.key.empty())
        reader.complain(listener.key.empty() ? "certificate" : "key",
                        "is one of two that are needed for TLS",
                        "give \"certificate\" and \"key\", both PEM files");
    if (!listener.client_ca.empty() && listener.certificate.empty())
        reader.complain("client_ca", "has no meaning without TLS",
                        "give \"certificate\" and \"key\" as well");
    if (listener.certificate.empty() && !is_loopback_address(listener.address))
        reader.complain("address",
                        "is reachable from other machines, where REST is served over TLS only",
                        "give \"certificate\" and \"key\"; or use 127.0.0.1 or ::1");
}

void nested_object<drive_pattern>::check(object_reader& reader, const drive_pattern&) {
    for (const field<drive_pattern>& one : pattern_fields)
        if (reader.has(one.facts.name)) return;
    reader.complain({}, "names no drives",
                    "give it an address, a serial or a model; \"*\" is all of them");
}

void nested_object<attach_rule>::check(object_reader& reader, const attach_rule& rule) {
    nested_object<drive_pattern>::check(reader, rule.which);
    warn_of_long_park(reader, rule.use);
}

namespace {

/// Linux reads the largest ANA log there could be, in one command, or does without ANA.
void warn_of_ana(const daemon_config& config, problem_list& problems) {
    const std::uint64_t most = config.options.target.max_transfer_bytes;
    for (std::size_t i = 0; i < config.spec.subsystems.size(); ++i) {
        const core::subsystem_spec& one = config.spec.subsystems[i];
        if (const std::size_t log = limits::ana_log_bytes(one.max_namespaces); log > most)
            problems.warn(
                {fmt::format("/subsystems/{}/max_namespaces", i), 0,
                 fmt::format("Linux hosts do without ANA, whose log may have {} bytes then "
                             "while a transfer has {}",
                             log, most),
                 "raise limits/max_transfer to 256KiB or more"});
    }
}

daemon_config read_document(const json_node& root, problem_list& problems,
                            const std::string& folder) {
    daemon_config config;
    object_reader reader({&root, ""}, problems);
    std::string schema;
    reader.read("$schema", schema);  // for editors
    for_each_section([&](const auto& section) {
        auto& part = section.part(config.options);
        if (section.name.empty()) return read_fields(reader, section.table, part, document::file);
        object_reader inside(reader.member(section.name), problems);
        read_fields(inside, section.table, part, document::file);
        section.check(inside, part);
        inside.finish();
    });
    config.spec = read_target(reader, config.options.target.discovery_nqn, folder);
    warn_of_ana(config, problems);
    reader.finish();
    return config;
}

}  // namespace

config_outcome parse_config(std::string_view text, const std::string& folder) {
    problem_list problems;
    const std::optional<json_node> root = parse_json(text, config_bounds, problems);
    if (!root) return tl::unexpected(std::move(problems));
    daemon_config config = read_document(*root, problems, folder);
    if (!problems.empty()) return tl::unexpected(std::move(problems));
    config.warnings = problems.warnings();
    return config;
}

config_outcome parse_config_leniently(std::string_view text, const std::string& folder) {
    problem_list syntax;
    const std::optional<json_node> root = parse_json(text, config_bounds, syntax);
    if (!root) return tl::unexpected(std::move(syntax));
    problem_list problems(config_bounds.values);
    daemon_config config = read_document(*root, problems, folder);
    if (!problems.empty() && !set_aside(config.spec, *root, problems.all(), folder, config.broken))
        return parse_config(text, folder);  // with as many problems as are shown
    config.warnings = problems.warnings();
    return config;
}

}  // namespace fulmar::admin
