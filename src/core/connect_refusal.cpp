// The words for refused Connects, and the lines about them. Never called per command.
#include <fulmar/core/connect_refusal.hpp>
#include <fulmar/core/qpair.hpp>

#include <fmt/format.h>

#include <exception>
#include <iterator>

namespace fulmar::core {

namespace {
struct words {
    std::string_view name;
    std::string_view meaning;
    std::string_view remedy;
};

constexpr std::array<words, connect_refusal_count> all_words{{
    {"malformed", "its format or its data cannot be read", "is it an NVMe host?"},
    {"wrong_parameter", "a parameter is out of range", "the answer tells the host which one"},
    {"wrong_name", "a name in it is none that a host can have",
     "a name has 1 to 223 bytes of UTF-8 and no control characters: look at /etc/nvme/hostnqn "
     "there"},
    {"unknown_subsystem", "there is no such subsystem",
     "create it, or correct the host's --nqn; the host tries again by itself"},
    {"not_offered_here", "the subsystem is not offered at this listener",
     "add the listener to the subsystem's \"listeners\", or connect to one of those"},
    {"host_not_allowed", "the host is not in the subsystem's list",
     "if it may connect: fulmar host add SUBSYSTEM HOST"},
    {"no_key", "the subsystem wants hosts to authenticate, and has no key for this one",
     "if it may connect: fulmar host add SUBSYSTEM HOST --dhchap-key NAME"},
    {"key_unusable", "the key that the host has to authenticate with is missing or broken",
     "fulmar key list says what is wrong with it; the host tries again by itself"},
    {"not_encrypted", "the host has a key of TLS here, and came without TLS",
     "let it use TLS (nvme connect --tls), or say tls_optional in its entry of host_keys; the host "
     "tries again by itself"},
    {"other_identity", "the TLS key of the connection is not that host's for that subsystem",
     "give the host a key for the subsystem, or connect by the names that its key was made for"},
    {"mixed_security", "the connection and its controller's admin queue are not secured alike",
     "the host has to use TLS for all queues of a controller, or for none"},
    {"list_broken", "the subsystem's list of hosts is broken",
     "mend it in the configuration file, and reload; the host tries again by itself"},
    {"busy", "the subsystem is paused or being changed",
     "the host tries again; if it stays so, look at the subsystem's state"},
    {"too_many_wait", "too many hosts wait for the subsystem already", "the host tries again"},
    {"no_connection_left", "the listener has no connection left",
     "look who has so many: fulmar connection list; or raise limits/connections_per_listener"},
    {"no_controller_left", "the subsystem has no controller left",
     "look who has so many: fulmar connection list; or widen min_cntlid to max_cntlid"},
    {"unknown_controller", "the controller of this queue has ended, or is another host's",
     "the host connects anew by itself"},
    {"identifier_in_use",
     "a host of another name is connected with the same host identifier, and reservations of the "
     "subsystem go by that",
     "is it a copy of the other machine? Give it an identifier of its own: /etc/nvme/hostid there"},
    {"out_of_sequence", "the queue exists already, or its controller is not enabled",
     "is another host using the same name and identifier?"},
    {"no_memory", "memory is short", "look at the daemon's memory limit"},
}};

const words& of(connect_refusal why) noexcept { return all_words[static_cast<std::size_t>(why)]; }
}  // namespace

std::string_view to_string(connect_refusal why) noexcept { return of(why).name; }
std::string_view describe(connect_refusal why) noexcept { return of(why).meaning; }
std::string_view remedy(connect_refusal why) noexcept { return of(why).remedy; }

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7f || c == '\\')
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
        else
            out += c;
    }
    return out;
}

void connect_refusals::note(connect_refusal why, const qpair& whose, instant now) noexcept {
    const auto index = static_cast<std::size_t>(why);
    counts_[index].store(count(why) + 1, std::memory_order_relaxed);
    if (!lines_[index].allow(now)) return;
    try {
        const connection_status from = whose.status();
        const connect_op& asked = whose.asked();
        const std::string_view host = asked.host_nqn();
        log::warn("Connect refused: {}: host {} at {} asked {} for queue {} of subsystem {}; {}",
                  describe(why), host.empty() ? "(no name)" : printable(host), from.peer,
                  from.local, asked.command.qid.value(), printable(asked.subsystem_nqn()),
                  remedy(why));
    } catch (const std::exception&) {  // no memory for a line: it was counted
    }
}

}  // namespace fulmar::core
