// JSON → model. See model_json.hpp. The fields are read by their tables; here are the rules between
// the fields of one object.
#include "field_json.hpp"

#include <fulmar/core/new_object_rules.hpp>
#include <fulmar/nvme/discovery.hpp>
#include <fulmar/nvme/nqn.hpp>

#include <fmt/format.h>

namespace fulmar::admin {

namespace {

/// In a REST body: the "status" that a GET has shown, which may come back unread.
void skip_status(object_reader& reader, document kind) {
    if (kind == document::body) reader.member("status");
}

}  // namespace

void warn_of_long_park(object_reader& reader, const core::namespace_spec& spec) {
    if (spec.park_ms > limits::long_park_ms)
        reader.problems().warn(
            {reader.pointer() + "/park_ms", 0,
             fmt::format("{} ms is close to the 30 s after which a Linux host gives up",
                         spec.park_ms),
             "25000 or less"});
}

std::optional<std::string> check_subsystem_nqn(std::string_view nqn) {
    const nvme::nqn_check check = nvme::validate_nqn(nqn);
    if (check != nvme::nqn_check::ok)
        return "is no name of a subsystem: it " + std::string(nvme::describe(check));
    if (nqn == nvme::discovery_nqn) return "is the well-known name of the discovery service";
    return std::nullopt;
}

std::optional<std::string> check_host_nqn(std::string_view nqn) {
    const nvme::nqn_check check = nvme::validate_nqn(nqn);
    if (check == nvme::nqn_check::ok) return std::nullopt;
    return "is no name of a host: it " + std::string(nvme::describe(check));
}

bool read_ana_state(object_reader& reader, core::ana_state& into) {
    core::namespace_spec spec;
    const bool said = read_field(reader, *core::find_field<core::namespace_spec>("ana_state"), spec,
                                 document::body);
    if (said) into = spec.ana;
    return said;
}

core::listener_spec read_listener(json_place where, problem_list& problems, document kind) {
    core::listener_spec spec;
    object_reader reader(std::move(where), problems);
    read_fields(reader, spec, kind);
    if (spec.tls != core::listener_spec{}.tls &&
        nvme::trtype_of_word(spec.transport) != nvme::trtype::tcp)
        reader.complain("tls", "only transport tcp knows TLS", "leave it out");
    if (kind == document::body) reader.member("name");
    skip_status(reader, kind);
    reader.finish();
    return spec;
}

core::referral_spec read_referral(json_place where, problem_list& problems, document kind) {
    core::referral_spec spec;
    object_reader reader(std::move(where), problems);
    read_fields(reader, spec, kind);
    if (spec.address == "0.0.0.0" || spec.address == "::")
        reader.complain("address", "is a wildcard: no host can connect to it",
                        "the address of the other discovery service, as hosts reach it");
    skip_status(reader, kind);
    reader.finish();
    return spec;
}

core::device_spec read_device(json_place where, problem_list& problems, document kind) {
    core::device_spec spec;
    object_reader reader(std::move(where), problems);
    read_fields(reader, spec, kind);
    if (spec.size_bytes % spec.block_bytes != 0)
        reader.complain("size",
                        fmt::format("must be a multiple of the block size ({})", spec.block_bytes),
                        fmt::format("{} is the next one below",
                                    spec.size_bytes - spec.size_bytes % spec.block_bytes));
    if (spec.create && spec.size_bytes == 0)
        reader.complain("create", "a file that is to be created needs a size",
                        "such as \"size\": \"256MiB\"");
    skip_status(reader, kind);
    reader.finish();
    return spec;
}

core::namespace_spec read_namespace(json_place where, problem_list& problems, document kind) {
    core::namespace_spec spec;
    object_reader reader(std::move(where), problems);
    read_fields(reader, spec, kind);
    warn_of_long_park(reader, spec);
    skip_status(reader, kind);
    reader.finish();
    return spec;
}

void nested_object<core::ana_group_spec>::check(object_reader& reader,
                                                const core::ana_group_spec& group) {
    if (group.then == core::ana_state::change)
        reader.complain("then", "a change ends in another state", "any state but \"change\"");
}

void nested_object<core::host_keys_spec>::check(object_reader& reader,
                                                const core::host_keys_spec& keys) {
    if (keys.empty() && keys.dhchap_ctrl_key.empty())
        reader.complain("dhchap_key", "is missing, and so is tls_psk: the entry says nothing",
                        "give it a dhchap_key or a tls_psk, or remove it");
}

core::ana_group_spec read_ana_group(json_place where, problem_list& problems, document kind) {
    core::ana_group_spec spec;
    object_reader reader(std::move(where), problems);
    read_fields(reader, spec, kind);
    nested_object<core::ana_group_spec>::check(reader, spec);
    skip_status(reader, kind);
    reader.finish();
    return spec;
}

core::subsystem_spec read_subsystem(json_place where, problem_list& problems, document kind) {
    core::subsystem_spec spec;
    const std::size_t before = problems.all().size();
    object_reader reader(std::move(where), problems);
    read_fields(reader, spec, kind);
    const nvme::nqn_form form = nvme::form_of_nqn(spec.nqn);
    if (!spec.nqn.empty() && form != nvme::nqn_form::qualified)
        problems.warn(
            {reader.pointer() + "/nqn", 0,
             fmt::format("the name {}: some hosts refuse to connect to it", nvme::describe(form)),
             "such as \"nqn.2026-11.io.fulmar:disk1\""});
    if (const auto fits = core::check_controller_ids(spec); !fits)
        reader.complain("min_cntlid", fits.error().message, fits.error().remedy);
    if (const auto fits = core::check_ana_groups(spec); !fits && problems.all().size() == before)
        reader.complain("ana_groups", fits.error().message, fits.error().remedy);
    if (const auto fits = core::check_host_keys(spec); !fits && problems.all().size() == before)
        reader.complain("host_keys", fits.error().message, fits.error().remedy);
    skip_status(reader, kind);
    reader.finish();
    return spec;
}

}  // namespace fulmar::admin
