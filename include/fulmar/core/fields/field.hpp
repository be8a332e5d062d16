// A field of what can be configured, described once: its name in JSON, what it may hold, when it
// may change, and what it is for. Readers, writers, the comparison of two configurations, the
// journal, the JSON Schema, OpenAPI, docs/configuration.md and the options of the tool are made
// from the tables of these (docs/adr/011). The default is what the struct's member starts with.
// Plain constant data. Called on: any thread.
#pragma once

#include <fulmar/core/model.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fulmar::core {

/// What a value is. Numbers and sizes have bounds of their value, texts of their bytes, lists of
/// their items.
enum class field_form : std::uint8_t {
    flag,
    number,
    size,         ///< bytes; in a document also "256MiB"
    file_mode,    ///< a number; in a document octal text, such as "0660"
    word,         ///< one of a few
    text,         ///< no NUL
    label,        ///< text for people: UTF-8 without control characters
    ascii,        ///< printable ASCII
    pattern,      ///< as of a shell
    nqn,          ///< of a subsystem; may be empty unless `least` says otherwise
    address,      ///< numeric IPv4 or IPv6
    loopback,     ///< likewise, of this machine alone
    pci_address,  ///< "0000:0b:00.0"
    uuid,         ///< may be empty
    nguid,        ///< may be empty
    host,         ///< the NQN of a host
    hosts,        ///< a list of the NQNs of hosts
    host_choice,  ///< "all", or such a list
    key_name,     ///< of a key; may be empty
    path_states,  ///< an object: ANA states by the names of listeners
    texts,        ///< a list of texts
    cpus,         ///< a list of the numbers of CPUs
    namespaces,   ///< a list of namespaces
    object,       ///< an object with a table of its own
    objects       ///< a list of such
};

/// When a field may change, hence what becomes of an object when it differs in a reload or a PUT.
enum class field_change : std::uint8_t {
    never,       ///< the object is made anew
    chosen,      ///< likewise; where nothing is said, the target chooses, and keeps what it chose
    by_request,  ///< by a request of its own, which hosts may notice
    in_place,    ///< at any time; no host notices
    noticed,     ///< at any time, in place; hosts see that it has changed
    one_time     ///< a request that is gone once it is met; nothing is compared
};

/// New values of it are edits of the object that is there.
constexpr bool is_edited(field_change how) noexcept {
    return how == field_change::in_place || how == field_change::noticed;
}

/// Whether an object must have it.
enum class field_need : std::uint8_t {
    none,
    in_file,  ///< a REST body may leave it, or its number 0, to the target
    always
};

/// What a type of object that does not have the field does with it.
enum class field_elsewhere : std::uint8_t {
    refused,
    usual,  ///< its default may be said, since it changes nothing
    shown   ///< the target knows it: a GET shows it, and a REST body may say it back
};

/// The words of an enumeration, as documents have them; `values` in the same order.
template <typename Enum>
struct words_of;

template <>
struct words_of<ana_state> {
    static constexpr std::array<std::string_view, 5> names{
        "optimized", "non-optimized", "inaccessible", "persistent-loss", "change"};
    static constexpr std::array values{ana_state::optimized, ana_state::non_optimized,
                                       ana_state::inaccessible, ana_state::persistent_loss,
                                       ana_state::change};
};
template <>
struct words_of<loss_policy> {
    static constexpr std::array<std::string_view, 2> names{"fail", "hold"};
    static constexpr std::array values{loss_policy::fail, loss_policy::hold};
};
template <>
struct words_of<write_cache_mode> {
    static constexpr std::array<std::string_view, 2> names{"device", "through"};
    static constexpr std::array values{write_cache_mode::device, write_cache_mode::through};
};

template <typename Enum>
constexpr std::string_view word_of(Enum value) noexcept {
    for (std::size_t i = 0; i < words_of<Enum>::values.size(); ++i)
        if (words_of<Enum>::values[i] == value) return words_of<Enum>::names[i];
    return words_of<Enum>::names[0];
}

/// What can be said of a field without knowing whose it is.
struct field_facts {
    std::string_view name;
    field_form form = field_form::text;
    std::uint64_t least = 0;
    std::uint64_t most = 0;
    std::span<const std::uint32_t> numbers = {};   ///< form number: only these
    std::span<const std::string_view> words = {};  ///< form word; texts: only these, if any
    std::size_t test_words = 0;                    ///< the last of them, which only tests know
    field_need need = field_need::none;
    field_change change = field_change::never;
    bool always_written = false;  ///< in a file as well when it is the default
    /// Objects that say their "type": which have it, by the bits of the type's words; 0: all.
    std::uint32_t types = 0;
    std::uint32_t needed_by = 0;  ///< which must have it
    /// Which take it from what they stand for, where a request says nothing.
    std::uint32_t found_by = 0;
    field_elsewhere elsewhere = field_elsewhere::refused;
    std::string_view foreign = {};  ///< why objects of another type, {}, cannot have it
    std::string_view help = {};     ///< one sentence or more
    std::string_view sample = {};   ///< a remedy, where it lacks or does not fit
    std::string_view option = {};   ///< of the tool; empty: "--" and the name
    std::string_view schema = {};   ///< forms object, objects: the name of what they are
};

/// The words of `facts` that users may say.
constexpr std::span<const std::string_view> shipped_words(const field_facts& facts) noexcept {
    return facts.words.first(facts.words.size() - facts.test_words);
}

/// Free text for people, of whatever object.
inline constexpr field_facts description_facts{
    .name = "description",
    .form = field_form::label,
    .most = limits::max_description_bytes,
    .change = field_change::in_place,
    .help = "What it is for, in your words: at most 256 bytes of UTF-8 without control characters.",
    .sample = "shorten it, and put it on one line; or leave it out"};

/// What the members of `Spec` are, and `More`.
template <typename Spec, typename... More>
struct members_and {
    using type =
        std::variant<bool Spec::*, std::uint16_t Spec::*, std::uint32_t Spec::*,
                     std::uint64_t Spec::*, std::string Spec::*, std::vector<std::string> Spec::*,
                     ana_state Spec::*, loss_policy Spec::*, write_cache_mode Spec::*,
                     host_choice Spec::*, ana_paths Spec::*, std::vector<ana_group_spec> Spec::*,
                     std::vector<host_keys_spec> Spec::*, std::vector<namespace_spec> Spec::*,
                     More Spec::*...>;
};

/// A struct with members of other types specializes this.
template <typename Spec>
struct members_of : members_and<Spec> {};

template <typename Spec>
using field_member = typename members_of<Spec>::type;

template <typename Spec>
struct field {
    field_member<Spec> member;
    field_facts facts;
};

/// The table of the fields of `Spec`, in the order in which they are written.
template <typename Spec>
struct fields_of;

/// The field of that name, for whoever needs one by hand.
template <typename Spec>
constexpr const field<Spec>* find_field(std::string_view name) noexcept {
    for (const field<Spec>& one : fields_of<Spec>::all)
        if (one.facts.name == name) return &one;
    return nullptr;
}

/// The bit of the type that `spec` says; none of an unknown one. Objects without types have all.
template <typename Spec>
std::uint32_t type_of(const Spec& spec) noexcept {
    if constexpr (requires { spec.type; }) {
        const auto& words = find_field<Spec>("type")->facts.words;
        for (std::size_t i = 0; i < words.size(); ++i)
            if (words[i] == spec.type) return std::uint32_t{1} << i;
        return 0;
    } else {
        return ~std::uint32_t{0};
    }
}

constexpr bool has_field(std::uint32_t type, const field_facts& facts) noexcept {
    return facts.types == 0 || (facts.types & type) != 0;
}

/// Whether objects of the type of `spec` have the field of that name.
template <typename Spec>
bool has_field(const Spec& spec, std::string_view name) noexcept {
    return has_field(type_of(spec), find_field<Spec>(name)->facts);
}

/// Whether `spec` may leave the field of that name to what it stands for.
template <typename Spec>
bool finds_field(const Spec& spec, std::string_view name) noexcept {
    return (find_field<Spec>(name)->facts.found_by & type_of(spec)) != 0;
}

}  // namespace fulmar::core
