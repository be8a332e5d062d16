// JSON → model. See model_json.hpp.
#include "model_json.hpp"

#include <fulmar/core/spec_rules.hpp>
#include <fulmar/nvme/nqn.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <array>

namespace fulmar::admin {

namespace {

using core::ana_state;

constexpr std::array<std::string_view, 2> transport_words{"tcp", "rdma"};
#ifdef FULMAR_FAULTS
constexpr std::array<std::string_view, 5> device_words{"null", "ram", "file", "pcie", "fault"};
#else
constexpr std::array<std::string_view, 4> device_words{"null", "ram", "file", "pcie"};
#endif
constexpr std::array<std::string_view, 2> loss_words{"fail", "hold"};
constexpr std::array<std::string_view, 2> cache_words{"device", "through"};
constexpr std::array<std::string_view, 5> ana_words{"optimized", "non-optimized", "inaccessible",
                                                    "persistent-loss", "change"};
constexpr std::array<ana_state, 5> ana_values{ana_state::optimized, ana_state::non_optimized,
                                              ana_state::inaccessible, ana_state::persistent_loss,
                                              ana_state::change};

constexpr const char* host_nqn_sample =
    "such as \"nqn.2014-08.org.nvmexpress:uuid:…\", what /etc/nvme/hostnqn of the host says";
constexpr std::size_t max_path_bytes = 4095;
constexpr std::size_t max_name_bytes = 128;
constexpr std::size_t serial_bytes = 20;
constexpr std::size_t model_bytes = 40;
constexpr std::uint32_t max_drive_nsid = 0xffff'fffe;
constexpr std::size_t max_drive_serial_bytes = 20;  // SN of Identify Controller
constexpr std::uint32_t max_park_ms = 600'000;
constexpr std::uint32_t long_park_ms = 25'000;
constexpr std::uint32_t max_hold_s = 86'400;

bool is_link_local(const std::array<unsigned char, sizeof(in6_addr)>& raw) noexcept {
    return raw[0] == 0xfe && (raw[1] & 0xc0u) == 0x80u;
}

/// "fe80::1%eth0": an address that means something on one network only.
std::optional<std::string> canonical_scoped(const std::string& text, std::size_t mark) {
    std::array<unsigned char, sizeof(in6_addr)> raw{};
    std::array<char, INET6_ADDRSTRLEN> out{};
    const std::string scope = text.substr(mark + 1);
    const bool named = !scope.empty() && scope.size() < IF_NAMESIZE &&
                       std::all_of(scope.begin(), scope.end(), [](char c) {
                           return c > ' ' && c <= '~' && c != '/' && c != '%' && c != ']';
                       });
    if (!named || ::inet_pton(AF_INET6, text.substr(0, mark).c_str(), raw.data()) != 1 ||
        !is_link_local(raw) || ::inet_ntop(AF_INET6, raw.data(), out.data(), out.size()) == nullptr)
        return std::nullopt;
    return std::string(out.data()) + "%" + scope;
}

/// A numeric address in its one canonical spelling, so that equal addresses have equal names.
std::optional<std::string> canonical_address(const std::string& text) {
    if (const std::size_t mark = text.find('%'); mark != std::string::npos)
        return canonical_scoped(text, mark);
    std::array<unsigned char, sizeof(in6_addr)> raw{};
    std::array<char, INET6_ADDRSTRLEN> out{};
    for (const int family : {AF_INET, AF_INET6})
        if (::inet_pton(family, text.c_str(), raw.data()) == 1 &&
            ::inet_ntop(family, raw.data(), out.data(), out.size()) != nullptr)
            return std::string(out.data());
    return std::nullopt;
}

template <typename Endpoint>
void read_endpoint(object_reader& reader, Endpoint& spec, std::uint16_t least_port) {
    if (std::size_t word = 0; reader.read_word("transport", word, transport_words))
        spec.transport = transport_words[word];
    reader.require("address", "such as \"127.0.0.1\", \"0.0.0.0\" or \"::1\"");
    if (reader.read("address", spec.address)) {
        if (auto canonical = canonical_address(spec.address))
            spec.address = std::move(*canonical);
        else
            reader.complain("address", "is not a numeric IPv4 or IPv6 address",
                            "names are not resolved; write such as \"192.0.2.7\" or \"::1\"");
    }
    reader.read("port", spec.port, least_port);
}

/// In a REST body: the "status" that a GET has shown, which may come back unread.
void skip_status(object_reader& reader, document kind) {
    if (kind == document::body) reader.member("status");
}

bool is_printable_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

void read_ascii(object_reader& reader, std::string_view key, std::string& into, std::size_t most) {
    std::string text;
    if (!reader.read(key, text)) return;
    if (text.size() > most || !is_printable_ascii(text))
        reader.complain(key, fmt::format("must be at most {} printable ASCII characters", most),
                        "shorten it; or leave it out");
    else
        into = std::move(text);
}

void read_identity(object_reader& reader, core::namespace_spec& spec) {
    if (std::string text; reader.read("uuid", text) && !text.empty()) {
        const auto id = nvme::parse_uuid(text);
        if (!id || id->is_nil())
            reader.complain("uuid", "is not a UUID",
                            "such as \"3fd11b0a-…\", not all zero; or leave it out to have it "
                            "derived from NQN and NSID");
        else
            spec.uuid = nvme::to_text(*id).view();
    }
    if (std::string text; reader.read("nguid", text) && !text.empty()) {
        const auto id = nvme::parse_nguid(text);
        if (!id || id->is_nil())
            reader.complain("nguid", "is not an NGUID",
                            "32 hexadecimal digits, not all zero; or leave it out to have it "
                            "derived from NQN and NSID");
        else
            spec.nguid = nvme::to_text(*id).view();
    }
}

void read_hosts(object_reader& reader, std::vector<std::string>& into) {
    for (const json_place& item : reader.items("hosts", limits::max_hosts)) {
        const auto complain = [&](std::string message, std::string remedy) {
            reader.problems().add(
                {item.pointer, item.node->line, std::move(message), std::move(remedy)});
        };
        if (item.node->kind != json_kind::text)
            complain(fmt::format("must be a string, not {}", kind_name(item.node->kind)),
                     host_nqn_sample);
        else if (auto wrong = check_host_nqn(item.node->text))
            complain(std::move(*wrong), host_nqn_sample);
        else if (std::find(into.begin(), into.end(), item.node->text) != into.end())
            complain("this host is there twice", "remove one of the two");
        else
            into.push_back(item.node->text);
    }
}

}  // namespace

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

std::string_view ana_word(ana_state state) noexcept {
    const auto found = std::find(ana_values.begin(), ana_values.end(), state);
    if (found == ana_values.end()) return "optimized";
    return ana_words[static_cast<std::size_t>(found - ana_values.begin())];
}

std::optional<ana_state> parse_ana_word(std::string_view word) noexcept {
    const auto found = std::find(ana_words.begin(), ana_words.end(), word);
    if (found == ana_words.end()) return std::nullopt;
    return ana_values[static_cast<std::size_t>(found - ana_words.begin())];
}

bool read_ana_state(object_reader& reader, ana_state& into) {
    std::size_t word = 0;
    if (!reader.read_word("ana_state", word, ana_words)) return false;
    into = ana_values[word];
    return true;
}

core::listener_spec read_listener(json_place where, problem_list& problems, document kind) {
    core::listener_spec spec;
    object_reader reader(std::move(where), problems);
    read_endpoint(reader, spec, 0);
    if (kind == document::body) reader.member("name");
    skip_status(reader, kind);
    reader.finish();
    return spec;
}

core::referral_spec read_referral(json_place where, problem_list& problems, document kind) {
    core::referral_spec spec;
    object_reader reader(std::move(where), problems);
    read_endpoint(reader, spec, 1);
    if (spec.address == "0.0.0.0" || spec.address == "::")
        reader.complain("address", "is a wildcard: no host can connect to it",
                        "the address of the other discovery service, as hosts reach it");
    skip_status(reader, kind);
    reader.finish();
    return spec;
}

namespace {

// "0000:0b:00.0": as the kernel spells it, so that one drive has one name.
bool is_pci_address(std::string_view text) {
    constexpr std::string_view form = "xxxx:xx:xx.7";
    if (text.size() != form.size()) return false;
    for (std::size_t i = 0; i < form.size(); ++i) {
        const char c = text[i];
        const bool digit = c >= '0' && c <= '9';
        if (form[i] == 'x'   ? !digit && (c < 'a' || c > 'f')
            : form[i] == '7' ? c < '0' || c > '7'
                             : c != form[i])
            return false;
    }
    return text[8] < '2';  // 32 devices on a bus
}

// What only a "pcie" device has. Its size and block size are the drive's: a GET shows them.
void read_drive(object_reader& reader, core::device_spec& spec, document kind) {
    const bool has_address = reader.read("address", spec.address);
    const bool has_serial = reader.read("serial", spec.serial);
    const bool has_nsid = reader.read("drive_nsid", spec.drive_nsid, 0, max_drive_nsid);
    const bool has_bind = reader.read("bind", spec.bind);
    const bool has_detached = reader.read("detached", spec.detached);
    if (spec.type != "pcie") {
        if (spec.type.empty()) return;
        for (const auto& [has, key] :
             {std::pair{has_address, "address"}, std::pair{has_serial, "serial"},
              std::pair{has_nsid, "drive_nsid"}, std::pair{has_bind, "bind"},
              std::pair{has_detached, "detached"}})
            if (has) reader.complain(key, "only a \"pcie\" device has one", "remove it");
        return;
    }
    reader.require("address", "where the drive is, such as \"0000:0b:00.0\"");
    if (has_address && !is_pci_address(spec.address))
        reader.complain("address", "must be a PCI address", "such as \"0000:0b:00.0\"");
    if (has_serial &&
        (spec.serial.size() > max_drive_serial_bytes || !is_printable_ascii(spec.serial)))
        reader.complain(
            "serial",
            fmt::format("must be at most {} printable ASCII characters", max_drive_serial_bytes),
            "the serial number that the drive tells, or nothing");
    if (kind == document::file)
        for (const char* key : {"size", "block_size"})
            if (reader.has(key)) reader.complain(key, "is the drive's own", "remove it");
    spec.size_bytes = 0;
    spec.block_bytes = 512;
}

}  // namespace

bool read_write_cache(object_reader& reader, core::write_cache_mode& mode) {
    std::size_t word = 0;
    if (!reader.read_word("write_cache", word, cache_words)) return false;
    mode = word == 0 ? core::write_cache_mode::device : core::write_cache_mode::through;
    return true;
}

std::string_view word_of(core::write_cache_mode mode) noexcept {
    return cache_words[mode == core::write_cache_mode::through ? 1 : 0];
}

core::device_spec read_device(json_place where, problem_list& problems, document kind) {
    core::device_spec spec;
    object_reader reader(std::move(where), problems);
    reader.require("name", "a name of your choice");
    if (reader.read("name", spec.name) &&
        (spec.name.empty() || spec.name.size() > max_name_bytes || !is_printable_ascii(spec.name)))
        reader.complain("name",
                        fmt::format("must be 1 to {} printable ASCII characters", max_name_bytes),
                        "such as \"disk0\"");
    reader.require("type", "one of \"null\", \"ram\", \"file\", \"pcie\"");
    if (std::size_t word = 0; reader.read_word("type", word, device_words))
        spec.type = device_words[word];
    if (reader.read("block_size", spec.block_bytes) && spec.block_bytes != 512 &&
        spec.block_bytes != 4096) {
        reader.complain("block_size", "must be 512 or 4096", "512 where in doubt");
        spec.block_bytes = 512;
    }
    const bool sized = reader.read_size("size", spec.size_bytes, 0, core::max_device_bytes);
    if (sized && spec.size_bytes % spec.block_bytes != 0)
        reader.complain("size",
                        fmt::format("must be a multiple of the block size ({})", spec.block_bytes),
                        fmt::format("{} is the next one below",
                                    spec.size_bytes - spec.size_bytes % spec.block_bytes));
    if (!spec.type.empty() && spec.type != "file" && spec.type != "pcie" &&
        !(sized && spec.size_bytes != 0) && (sized || !reader.has("size")))
        reader.complain("size", fmt::format("lacks a size, which a \"{}\" device needs", spec.type),
                        "such as \"size\": \"256MiB\"");
    const bool has_path = reader.read("path", spec.path);
    const bool has_direct = reader.read("direct", spec.direct);
    const bool has_create = reader.read("create", spec.create);
    if (spec.type == "file") {
        if (spec.create && spec.size_bytes == 0)
            reader.complain("create", "a file that is to be created needs a size",
                            "such as \"size\": \"256MiB\"");
        reader.require("path", "the file or block device that stores the blocks");
        if (has_path && (spec.path.empty() || spec.path.size() > max_path_bytes))
            reader.complain("path", fmt::format("must be 1 to {} bytes", max_path_bytes),
                            "the file or block device that stores the blocks");
    } else if (!spec.type.empty()) {
        if (has_path) reader.complain("path", "only a \"file\" device has a path", "remove it");
        if (has_create)
            reader.complain("create", "only a \"file\" device can be created", "remove it");
        if (has_direct) {
            // A GET shows it for every type; false is the only value that would have no meaning.
            if (!spec.direct)
                reader.complain("direct", "only a \"file\" device can do without O_DIRECT",
                                "remove it");
        }
    }
    const bool has_cache = read_write_cache(reader, spec.write_cache);
    if (has_cache && spec.write_cache == core::write_cache_mode::through && !spec.type.empty() &&
        spec.type != "file" && spec.type != "pcie")
        reader.complain("write_cache",
                        fmt::format("a \"{}\" device has no write cache to go through", spec.type),
                        "remove it");
    read_drive(reader, spec, kind);
    skip_status(reader, kind);
    reader.finish();
    return spec;
}

void read_loss(object_reader& reader, core::namespace_spec& spec) {
    if (std::size_t word = 0; reader.read_word("on_loss", word, loss_words))
        spec.on_loss = word == 0 ? core::loss_policy::fail : core::loss_policy::hold;
    if (reader.read("park_ms", spec.park_ms, 0, max_park_ms) && spec.park_ms > long_park_ms &&
        reader.has("park_ms"))
        reader.problems().warn(
            {reader.pointer() + "/park_ms", 0,
             fmt::format("{} ms is close to the 30 s after which a Linux host gives up",
                         spec.park_ms),
             "25000 or less"});
    reader.read("hold_s", spec.hold_s, 0, max_hold_s);
}

core::namespace_spec read_namespace(json_place where, problem_list& problems, document kind) {
    core::namespace_spec spec;
    object_reader reader(std::move(where), problems);
    if (kind == document::file)
        reader.require("nsid", "the namespace's identity depends on it; such as \"nsid\": 1");
    reader.read("nsid", spec.nsid, kind == document::file ? 1 : 0, limits::max_namespaces);
    reader.require("device", "the name of one of \"devices\"");
    if (reader.read("device", spec.device) && spec.device.empty())
        reader.complain("device", "must not be empty", "the name of one of \"devices\"");
    read_identity(reader, spec);
    read_ana_state(reader, spec.ana);
    read_loss(reader, spec);
    skip_status(reader, kind);
    reader.finish();
    return spec;
}

core::subsystem_spec read_subsystem(json_place where, problem_list& problems, document kind) {
    core::subsystem_spec spec;
    object_reader reader(std::move(where), problems);
    reader.require("nqn", "such as \"nqn.2026-11.io.fulmar:disk1\"");
    if (reader.read("nqn", spec.nqn)) {
        const nvme::nqn_form form = nvme::form_of_nqn(spec.nqn);
        if (auto wrong = check_subsystem_nqn(spec.nqn))
            reader.complain("nqn", std::move(*wrong), "such as \"nqn.2026-11.io.fulmar:disk1\"");
        else if (form != nvme::nqn_form::qualified)
            problems.warn({reader.pointer() + "/nqn", 0,
                           fmt::format("the name {}: some hosts refuse to connect to it",
                                       nvme::describe(form)),
                           "such as \"nqn.2026-11.io.fulmar:disk1\""});
    }
    read_ascii(reader, "serial", spec.serial, serial_bytes);
    read_ascii(reader, "model", spec.model, model_bytes);
    reader.read("allow_any_host", spec.allow_any_host);
    read_hosts(reader, spec.hosts);
    reader.read_words("listeners", spec.listeners, limits::max_listeners);
    reader.read("max_namespaces", spec.max_namespaces, 1, limits::max_namespaces);
    for (const json_place& item : reader.items("namespaces", limits::max_namespaces)) {
        spec.namespaces.push_back(read_namespace(item, problems, kind));
        if (const auto fits = core::check_nsid(spec.namespaces.back().nsid, spec); !fits)
            problems.add({item.pointer + "/nsid", item.node->line, fits.error().message,
                          fits.error().remedy});
    }
    reader.read("min_cntlid", spec.min_cntlid, limits::min_cntlid, limits::max_cntlid);
    reader.read("max_cntlid", spec.max_cntlid, limits::min_cntlid, limits::max_cntlid);
    if (spec.min_cntlid > spec.max_cntlid)
        reader.complain("min_cntlid", "is larger than max_cntlid",
                        "swap the two, or leave both out");
    reader.read("paused", spec.paused);
    skip_status(reader, kind);
    reader.finish();
    return spec;
}

}  // namespace fulmar::admin
