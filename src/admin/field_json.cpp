// See field_json.hpp. Pure. Must never: stop at the first problem.
#include "field_json.hpp"

#include "numeric_address.hpp"

#include <fulmar/core/new_object_rules.hpp>
#include <fulmar/core/spec_rules.hpp>
#include <fulmar/nvme/nqn.hpp>
#include <fulmar/nvme/uuid.hpp>
#include <fulmar/security/key_source.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>

namespace fulmar::admin {

namespace {

using core::field_facts;
using core::field_form;

constexpr std::string_view every_host = "all";

bool is_printable_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

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

/// Three octal digits, or four of which the first is 0. A socket is read and written by its owner,
/// and executed by nobody.
bool read_file_mode(object_reader& reader, const field_facts& facts, std::uint64_t& into) {
    std::string text;
    if (!reader.read(facts.name, text)) return false;
    std::uint64_t bits = 0;
    bool good = text.size() == 3 || (text.size() == 4 && text[0] == '0');
    for (const char c : text) {
        good = good && c >= '0' && c <= '7';
        bits = bits * 8 + static_cast<std::uint64_t>(c - '0');
    }
    const bool fits = (bits & 0111) == 0 && (bits & 0600) == 0600;
    if (good && fits)
        into = bits;
    else
        reader.complain(
            facts.name,
            good ? "must let the owner read and write, and nobody execute" : "is not a file mode",
            std::string(facts.sample));
    return good && fits;
}

std::string of_bytes(const field_facts& facts, std::string_view what) {
    return facts.least == 0 ? fmt::format("must be at most {} {}", facts.most, what)
                            : fmt::format("must be {} to {} {}", facts.least, facts.most, what);
}

bool fits_bytes(const field_facts& facts, const std::string& text) {
    return text.size() >= facts.least && text.size() <= facts.most;
}

/// C0, DEL and C1, the latter as UTF-8. That it is UTF-8 at all is JSON's business.
bool has_control_characters(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool c1 =
            byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (byte < 0x20 || byte == 0x7f || c1) return true;
    }
    return false;
}

/// An identifier of a namespace in its one spelling; an empty one is chosen by the target.
template <typename Id>
std::optional<std::string> canonical_id(std::string& text, const std::optional<Id>& id,
                                        const char* what) {
    if (text.empty()) return std::nullopt;
    if (!id || id->is_nil()) return fmt::format("is not {}", what);
    text = nvme::to_text(*id).view();
    return std::nullopt;
}

/// What is wrong with `text`; nothing when it fits. An address or an identifier then has its one
/// canonical spelling, so that equal ones are equal as text.
std::optional<std::string> judge(const field_facts& facts, std::string& text) {
    switch (facts.form) {
        case field_form::ascii:
            if (fits_bytes(facts, text) && is_printable_ascii(text)) return std::nullopt;
            return of_bytes(facts, "printable ASCII characters");
        case field_form::text:
            if (fits_bytes(facts, text)) return std::nullopt;
            return of_bytes(facts, "bytes");
        case field_form::label:
            if (!fits_bytes(facts, text)) return of_bytes(facts, "bytes");
            if (has_control_characters(text)) return "contains a control character";
            return std::nullopt;
        case field_form::pattern:
            if (fits_bytes(facts, text)) return std::nullopt;
            return of_bytes(facts, "characters");
        case field_form::nqn:
            if (text.empty() && facts.least == 0) return std::nullopt;
            return check_subsystem_nqn(text);
        case field_form::loopback:
            if (is_loopback_address(text)) return std::nullopt;
            return "is not a loopback address";
        case field_form::pci_address:
            if (is_pci_address(text)) return std::nullopt;
            return "must be a PCI address";
        case field_form::address:
            if (auto canonical = canonical_address(text)) {
                text = std::move(*canonical);
                return std::nullopt;
            }
            return "is not a numeric IPv4 or IPv6 address";
        case field_form::host: return check_host_nqn(text);
        case field_form::key_name:
            if (text.empty() && facts.least == 0) return std::nullopt;
            if (security::is_key_name(text)) return std::nullopt;
            return "is no name of a key";
        case field_form::uuid: return canonical_id(text, nvme::parse_uuid(text), "a UUID");
        case field_form::nguid: return canonical_id(text, nvme::parse_nguid(text), "an NGUID");
        default: return std::nullopt;
    }
}

}  // namespace

bool read_text(object_reader& reader, const field_facts& facts, std::string& into) {
    if (facts.form == field_form::word) {
        std::size_t word = 0;
        if (!reader.read_word(facts.name, word, facts.words)) return false;
        into = facts.words[word];
        return true;
    }
    std::string text;
    if (!reader.read(facts.name, text)) return false;
    if (auto wrong = judge(facts, text)) {
        reader.complain(facts.name, std::move(*wrong), std::string(facts.sample));
        return false;
    }
    into = std::move(text);
    return true;
}

bool read_number(object_reader& reader, const field_facts& facts, document kind,
                 std::uint64_t& into) {
    if (facts.form == field_form::file_mode) return read_file_mode(reader, facts, into);
    if (facts.form == field_form::size)
        return reader.read_size(facts.name, into, facts.least, facts.most);
    if (facts.numbers.empty()) {
        const bool open = facts.need == core::field_need::in_file && kind == document::body;
        return reader.read(facts.name, into, open ? 0 : facts.least, facts.most);
    }
    std::uint32_t number = 0;
    if (!reader.read(facts.name, number)) return false;
    if (std::find(facts.numbers.begin(), facts.numbers.end(), number) == facts.numbers.end()) {
        reader.complain(facts.name, fmt::format("must be {}", fmt::join(facts.numbers, " or ")),
                        std::string(facts.sample));
        return false;
    }
    into = number;
    return true;
}

namespace {
void read_hosts(object_reader& reader, const field_facts& facts, std::vector<std::string>& into) {
    const std::string sample(facts.sample);
    std::unordered_set<std::string_view> known;
    for (const json_place& item : reader.items(facts.name, facts.most)) {
        const auto complain = [&](std::string message, std::string remedy) {
            reader.problems().add(
                {item.pointer, item.node->line, std::move(message), std::move(remedy)});
        };
        if (item.node->kind != json_kind::text)
            complain(fmt::format("must be a string, not {}", kind_name(item.node->kind)), sample);
        else if (auto wrong = check_host_nqn(item.node->text))
            complain(std::move(*wrong), sample);
        else if (!known.insert(item.node->text).second)
            complain("this host is there twice", "remove one of the two");
        else
            into.push_back(item.node->text);
    }
}
}  // namespace

bool read_list(object_reader& reader, const field_facts& facts, std::vector<std::string>& into) {
    if (facts.form == field_form::texts) {
        if (!reader.read_words(facts.name, into, facts.most)) return false;
        for (const std::string& word : into) {
            if (facts.words.empty() ||
                std::find(facts.words.begin(), facts.words.end(), word) != facts.words.end())
                continue;
            reader.complain(facts.name, fmt::format("must be of {}", fmt::join(facts.words, ", ")),
                            std::string(facts.sample));
            return false;
        }
        return true;
    }
    read_hosts(reader, facts, into);
    return reader.has(facts.name);
}

bool read_choice(object_reader& reader, const field_facts& facts, core::host_choice& into) {
    const json_place said = reader.member(facts.name);
    if (said.node == nullptr) return false;
    const bool all = said.node->kind == json_kind::text && said.node->text == every_host;
    if (!all && said.node->kind != json_kind::array) {
        reader.complain(facts.name, "must be \"all\", or a list of the NQNs of hosts",
                        std::string(facts.sample));
        into = {.all = false};  // who would be kept out must not come in by a mistake
        return false;
    }
    into = {.all = all};
    if (!all) read_hosts(reader, facts, into.named);
    return true;
}

bool read_paths(object_reader& reader, const field_facts& facts, core::ana_paths& into) {
    json_place said = reader.member(facts.name);
    if (said.node == nullptr) return false;
    if (said.node->kind != json_kind::object || said.node->members.size() > facts.most) {
        reader.complain(facts.name,
                        fmt::format("must be an object with at most {} members", facts.most),
                        std::string(facts.sample));
        return false;
    }
    const json_node& all = *said.node;
    into.clear();
    object_reader members(std::move(said), reader.problems());
    for (const auto& [listener, value, line] : all.members) {
        std::size_t word = 0;
        if (listener.empty() || listener.size() > limits::max_listener_name_bytes)
            members.complain(listener, "is no name of a listener", std::string(facts.sample));
        if (members.read_word(listener, word, core::words_of<core::ana_state>::names))
            into[listener] = core::words_of<core::ana_state>::values[word];
    }
    members.finish();
    return true;
}

bool read_list(object_reader& reader, const field_facts& facts, std::vector<int>& into) {
    std::vector<int> all;
    bool good = reader.has(facts.name);
    for (const json_place& item : reader.items(facts.name, facts.most)) {
        if (item.node->kind == json_kind::natural && item.node->natural <= max_cpu) {
            all.push_back(static_cast<int>(item.node->natural));
            continue;
        }
        reader.problems().add({item.pointer, item.node->line, "is not the number of a CPU",
                               std::string(facts.sample)});
        good = false;
    }
    if (good) into = std::move(all);
    return good;
}

bool read_list(object_reader& reader, const field_facts& facts, core::subsystem_spec& into,
               document kind) {
    for (const json_place& item : reader.items(facts.name, facts.most)) {
        into.namespaces.push_back(read_namespace(item, reader.problems(), kind));
        if (const auto fits = core::check_ana_group(into.namespaces.back(), into); !fits)
            reader.problems().add({item.pointer + fits.error().where, item.node->line,
                                   fits.error().message, fits.error().remedy});
        if (const auto fits = core::check_nsid(into.namespaces.back().nsid, into); !fits)
            reader.problems().add({item.pointer + "/nsid", item.node->line, fits.error().message,
                                   fits.error().remedy});
    }
    return reader.has(facts.name);
}

nlohmann::ordered_json paths_json(const core::ana_paths& paths) {
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    for (const auto& [listener, state] : paths) out[listener] = core::word_of(state);
    return out;
}

nlohmann::ordered_json choice_json(const core::host_choice& hosts) {
    if (hosts.all) return every_host;
    return hosts.named;
}

nlohmann::ordered_json number_json(std::uint64_t value, const field_facts& facts, document kind) {
    if (facts.form == field_form::file_mode) return fmt::format("{:04o}", value);
    if (facts.form == field_form::size && kind == document::file) return print_size(value);
    return value;
}

nlohmann::ordered_json namespaces_json(const std::vector<core::namespace_spec>& all,
                                       document kind) {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const core::namespace_spec& ns : all) out.push_back(to_json(ns, kind));
    return out;
}

}  // namespace fulmar::admin
