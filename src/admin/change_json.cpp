#include "change_json.hpp"

#include "field_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <type_traits>
#include <variant>

namespace fulmar::admin {

namespace {

using nlohmann::ordered_json;

/// In the order of core::change.
constexpr std::array<std::string_view, std::variant_size_v<core::change>> op_words{
    "create_device",    "delete_device",      "resize_device",    "reopen_device",
    "create_subsystem", "delete_subsystem",   "pause_subsystem",  "resume_subsystem",
    "add_namespace",    "remove_namespace",   "set_ana_state",    "add_host",
    "remove_host",      "set_allow_any_host", "add_listener",     "remove_listener",
    "add_referral",     "remove_referral",    "detach_device",    "attach_device",
    "file_created",     "modify_device",      "modify_subsystem", "modify_namespace",
    "create_ana_group", "delete_ana_group",   "modify_ana_group", "set_ana_path",
    "set_host_keys"};

template <typename Wanted, typename... All>
constexpr std::size_t place_in(const std::variant<All...>*) {
    std::size_t place = 0;
    (void)((std::is_same_v<Wanted, All> || (++place, false)) || ...);
    return place;
}

template <typename Change>
constexpr std::size_t index_of() {
    return place_in<Change>(static_cast<const core::change*>(nullptr));
}

void write(ordered_json& out, const core::create_device& c) {
    out["device"] = to_json(c.spec, document::body);
}
void write(ordered_json& out, const core::delete_device& c) { out["name"] = c.name; }
void write(ordered_json& out, const core::resize_device& c) {
    out["name"] = c.name;
    out["size"] = c.size_bytes;
    if (c.allow_shrink) out["allow_shrink"] = true;
}
void write(ordered_json& out, const core::reopen_device& c) {
    out["name"] = c.name;
    if (c.accept) out["accept"] = true;
}
void write(ordered_json& out, const core::create_subsystem& c) {
    out["subsystem"] = to_json(c.spec, document::body);
}
void write(ordered_json& out, const core::delete_subsystem& c) { out["nqn"] = c.nqn; }
void write(ordered_json& out, const core::pause_subsystem& c) { out["nqn"] = c.nqn; }
void write(ordered_json& out, const core::resume_subsystem& c) { out["nqn"] = c.nqn; }
void write(ordered_json& out, const core::add_namespace& c) {
    out["nqn"] = c.nqn;
    out["namespace"] = to_json(c.spec, document::body);
}
void write(ordered_json& out, const core::remove_namespace& c) {
    out["nqn"] = c.nqn;
    out["nsid"] = c.nsid;
}
void write(ordered_json& out, const core::set_ana_state& c) {
    out["nqn"] = c.nqn;
    out["nsid"] = c.nsid;
    out["ana_state"] = core::word_of(c.state);
}
void write(ordered_json& out, const core::add_host& c) {
    out["nqn"] = c.nqn;
    out["host"] = c.host;
}
void write(ordered_json& out, const core::remove_host& c) {
    out["nqn"] = c.nqn;
    out["host"] = c.host;
}
void write(ordered_json& out, const core::set_allow_any_host& c) {
    out["nqn"] = c.nqn;
    out["allow"] = c.allow;
}
void write(ordered_json& out, const core::set_host_keys& c) {
    out["nqn"] = c.nqn;
    out["host"] = c.keys.nqn;
    out["dhchap_key"] = c.keys.dhchap_key;
    out["dhchap_ctrl_key"] = c.keys.dhchap_ctrl_key;
    if (c.keys.tls_psk.empty()) return;
    out["tls_psk"] = c.keys.tls_psk;
    if (c.keys.tls_optional) out["tls_optional"] = true;
    if (c.keys.tls_compat) out["tls_compat"] = true;
}
void write(ordered_json& out, const core::add_listener& c) { out["listener"] = to_json(c.spec); }
void write(ordered_json& out, const core::remove_listener& c) { out["name"] = c.name; }
void write(ordered_json& out, const core::add_referral& c) { out["referral"] = to_json(c.spec); }
void write(ordered_json& out, const core::remove_referral& c) { out["referral"] = to_json(c.spec); }

void write(ordered_json& out, const core::detach_device& c) {
    out["name"] = c.name;
    out["drain"] = c.drain;
}
void write(ordered_json& out, const core::attach_device& c) { out["name"] = c.name; }
void write(ordered_json& out, const core::file_created& c) { out["name"] = c.name; }

void write(ordered_json& out, const core::modify_device& c) {
    out["name"] = c.name;
    out["set"] = edits_json(c.set);
}
void write(ordered_json& out, const core::modify_subsystem& c) {
    out["nqn"] = c.nqn;
    out["set"] = edits_json(c.set);
}
void write(ordered_json& out, const core::modify_namespace& c) {
    out["nqn"] = c.nqn;
    out["nsid"] = c.nsid;
    out["set"] = edits_json(c.set);
}

void write(ordered_json& out, const core::create_ana_group& c) {
    out["nqn"] = c.nqn;
    out["ana_group"] = to_json(c.spec, document::body);
}
void write(ordered_json& out, const core::delete_ana_group& c) {
    out["nqn"] = c.nqn;
    out["id"] = c.id;
}
void write(ordered_json& out, const core::modify_ana_group& c) {
    out["nqn"] = c.nqn;
    out["id"] = c.id;
    out["set"] = edits_json(c.set);
}

void write(ordered_json& out, const core::set_ana_path& c) {
    out["nqn"] = c.nqn;
    out["id"] = c.id;
    out["listener"] = c.listener;
    if (c.state) out["ana_state"] = core::word_of(*c.state);
}

/// Reads the members of one kind of change; every member is required.
class change_reader {
  public:
    explicit change_reader(object_reader& reader) : reader_(reader) {}

    std::string text(std::string_view key) {
        std::string out;
        reader_.require(key, "");
        reader_.read(key, out);
        return out;
    }
    template <typename Integer>
    Integer natural(std::string_view key) {
        Integer out = 0;
        reader_.require(key, "");
        reader_.read(key, out);
        return out;
    }
    bool truth(std::string_view key) {
        bool out = false;
        reader_.require(key, "");
        reader_.read(key, out);
        return out;
    }
    /// One that may be left out.
    bool optional_truth(std::string_view key) {
        bool out = false;
        reader_.read(key, out);
        return out;
    }
    std::string optional_text(std::string_view key) {
        std::string out;
        reader_.read(key, out);
        return out;
    }
    core::ana_state ana() {
        auto out = core::ana_state::optimized;
        reader_.require("ana_state", "");
        read_ana_state(reader_, out);
        return out;
    }
    std::optional<core::ana_state> optional_ana() {
        auto out = core::ana_state::optimized;
        if (!read_ana_state(reader_, out)) return std::nullopt;
        return out;
    }
    template <typename Spec>
    core::field_edits<Spec> edits() {
        if (!reader_.require("set", "")) return {};
        object_reader members(reader_.member("set"), reader_.problems());
        auto out = read_edits<Spec>(members);
        members.finish();
        return out;
    }
    template <typename Spec>
    Spec object(std::string_view key, Spec (*read)(json_place, problem_list&, document)) {
        if (!reader_.require(key, "")) return {};
        return read(reader_.member(key), reader_.problems(), document::body);
    }

  private:
    object_reader& reader_;
};

core::change read_op(std::size_t op, change_reader in) {
    switch (op) {
        case index_of<core::create_device>():
            return core::create_device{in.object("device", read_device)};
        case index_of<core::delete_device>(): return core::delete_device{in.text("name")};
        case index_of<core::resize_device>():
            return core::resize_device{in.text("name"), in.natural<std::uint64_t>("size"),
                                       in.optional_truth("allow_shrink")};
        case index_of<core::reopen_device>():
            return core::reopen_device{in.text("name"), in.optional_truth("accept")};
        case index_of<core::create_subsystem>():
            return core::create_subsystem{in.object("subsystem", read_subsystem)};
        case index_of<core::delete_subsystem>(): return core::delete_subsystem{in.text("nqn")};
        case index_of<core::pause_subsystem>(): return core::pause_subsystem{in.text("nqn")};
        case index_of<core::resume_subsystem>(): return core::resume_subsystem{in.text("nqn")};
        case index_of<core::add_namespace>():
            return core::add_namespace{in.text("nqn"), in.object("namespace", read_namespace)};
        case index_of<core::remove_namespace>():
            return core::remove_namespace{in.text("nqn"), in.natural<std::uint32_t>("nsid")};
        case index_of<core::set_ana_state>():
            return core::set_ana_state{in.text("nqn"), in.natural<std::uint32_t>("nsid"), in.ana()};
        case index_of<core::add_host>(): return core::add_host{in.text("nqn"), in.text("host")};
        case index_of<core::remove_host>():
            return core::remove_host{in.text("nqn"), in.text("host")};
        case index_of<core::set_allow_any_host>():
            return core::set_allow_any_host{in.text("nqn"), in.truth("allow")};
        case index_of<core::set_host_keys>():
            return core::set_host_keys{in.text("nqn"),
                                       {.nqn = in.text("host"),
                                        .dhchap_key = in.text("dhchap_key"),
                                        .dhchap_ctrl_key = in.text("dhchap_ctrl_key"),
                                        .tls_psk = in.optional_text("tls_psk"),
                                        .tls_optional = in.optional_truth("tls_optional"),
                                        .tls_compat = in.optional_truth("tls_compat")}};
        case index_of<core::add_listener>():
            return core::add_listener{in.object("listener", read_listener)};
        case index_of<core::remove_listener>(): return core::remove_listener{in.text("name")};
        case index_of<core::add_referral>():
            return core::add_referral{in.object("referral", read_referral)};
        case index_of<core::detach_device>():
            return core::detach_device{in.text("name"), in.truth("drain")};
        case index_of<core::attach_device>(): return core::attach_device{in.text("name")};
        case index_of<core::modify_device>():
            return core::modify_device{in.text("name"), in.edits<core::device_spec>()};
        case index_of<core::modify_subsystem>():
            return core::modify_subsystem{in.text("nqn"), in.edits<core::subsystem_spec>()};
        case index_of<core::modify_namespace>():
            return core::modify_namespace{in.text("nqn"), in.natural<std::uint32_t>("nsid"),
                                          in.edits<core::namespace_spec>()};
        case index_of<core::create_ana_group>():
            return core::create_ana_group{in.text("nqn"), in.object("ana_group", read_ana_group)};
        case index_of<core::delete_ana_group>():
            return core::delete_ana_group{in.text("nqn"), in.natural<std::uint32_t>("id")};
        case index_of<core::modify_ana_group>():
            return core::modify_ana_group{in.text("nqn"), in.natural<std::uint32_t>("id"),
                                          in.edits<core::ana_group_spec>()};
        case index_of<core::set_ana_path>():
            return core::set_ana_path{in.text("nqn"), in.natural<std::uint32_t>("id"),
                                      in.text("listener"), in.optional_ana()};
        case index_of<core::file_created>(): return core::file_created{in.text("name")};
        default: return core::remove_referral{in.object("referral", read_referral)};
    }
}

}  // namespace

ordered_json to_json(const core::change& change) {
    ordered_json out{{"op", op_words[change.index()]}};
    std::visit([&out](const auto& c) { write(out, c); }, change);
    return out;
}

std::optional<core::change> read_change(json_place where, problem_list& problems) {
    const std::size_t before = problems.all().size();
    object_reader reader(std::move(where), problems);
    std::size_t op = 0;
    reader.require("op", "");
    if (!reader.read_word("op", op, op_words)) return std::nullopt;
    core::change change = read_op(op, change_reader(reader));
    reader.finish();
    if (problems.all().size() != before) return std::nullopt;
    return change;
}

namespace {

std::string words_of(const core::change& change) {
    std::string text(op_words[change.index()]);
    std::replace(text.begin(), text.end(), '_', ' ');
    return text;
}

std::string place(const core::referral_spec& spec) {
    return fmt::format("{} {} port {}", spec.transport, spec.address, spec.port);
}

std::string object_of(const core::create_device& c) { return c.spec.name; }
std::string object_of(const core::create_subsystem& c) { return c.spec.nqn; }
std::string object_of(const core::add_listener& c) { return c.spec.name(); }
std::string object_of(const core::add_referral& c) { return place(c.spec); }
std::string object_of(const core::remove_referral& c) { return place(c.spec); }
std::string object_of(const core::add_namespace& c) {
    const std::string nsid = c.spec.nsid == 0 ? "(the next NSID)" : std::to_string(c.spec.nsid);
    return fmt::format("{} of {} on device {}", nsid, c.nqn, c.spec.device);
}
std::string object_of(const core::remove_namespace& c) {
    return fmt::format("{} of {}", c.nsid, c.nqn);
}
std::string object_of(const core::modify_namespace& c) {
    return fmt::format("{} of {}", c.nsid, c.nqn);
}
std::string object_of(const core::create_ana_group& c) {
    return fmt::format("{} of {}", c.spec.id, c.nqn);
}
std::string object_of(const core::set_ana_path& c) {
    return fmt::format("{} of ANA group {} of {} by {}",
                       c.state ? core::word_of(*c.state) : "as elsewhere", c.id, c.nqn, c.listener);
}
/// delete_ana_group, modify_ana_group
template <typename Change>
    requires requires(const Change& c) { c.id; }
std::string object_of(const Change& c) { return fmt::format("{} of {}", c.id, c.nqn); }
std::string object_of(const core::set_ana_state& c) {
    return fmt::format("{} of namespace {} of {}", core::word_of(c.state), c.nsid, c.nqn);
}
std::string object_of(const core::set_allow_any_host& c) {
    return fmt::format("{} of {}", c.allow, c.nqn);
}
std::string object_of(const core::set_host_keys& c) {
    return fmt::format("{} of {}", c.keys.nqn, c.nqn);
}
/// add_host, remove_host
template <typename Change>
    requires requires(const Change& c) { c.host; }
std::string object_of(const Change& c) { return fmt::format("{} of {}", c.host, c.nqn); }
/// Other changes of a subsystem as a whole, of a device or of a listener.
template <typename Change>
    requires requires(const Change& c) { c.name; }
std::string object_of(const Change& c) { return c.name; }
template <typename Change>
std::string object_of(const Change& c) {
    return c.nqn;
}

}  // namespace

std::string describe(const core::change& change) {
    ordered_json out = ordered_json::object();
    std::visit([&out](const auto& c) { write(out, c); }, change);
    return words_of(change) + " " + out.dump();
}

std::string title(const core::change& change) {
    return words_of(change) + " " + std::visit([](const auto& c) { return object_of(c); }, change);
}

}  // namespace fulmar::admin
