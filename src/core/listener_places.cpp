#include <fulmar/base/limits.hpp>
#include <fulmar/core/listener_places.hpp>
#include <fulmar/core/poll_group.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

namespace fulmar::core {

namespace {
using stage = connection_ticket::stage;

constexpr duration first_word = std::chrono::seconds(1);  // a host needs some round trips for it
constexpr duration any_silence = duration::zero();

// Silent handshakes are no loss to anybody: whoever has most of them gives the oldest up.
constexpr share_rule for_handshakes{.factor = 1, .own_too = true};

share_rule for_connections(std::uint32_t most) noexcept {
    return {.modest_host = std::min(limits::modest_connections, most / 4),
            .modest_address = most / 2,
            .factor = 2};
}
}  // namespace

std::uint64_t address_key(const void* address) noexcept {
    std::uint64_t key = 0;
    const auto* any = static_cast<const sockaddr*>(address);
    if (any->sa_family == AF_INET6) {
        const auto* six = static_cast<const sockaddr_in6*>(address);
        std::memcpy(&key, six->sin6_addr.s6_addr, sizeof key);
        if (IN6_IS_ADDR_LOOPBACK(&six->sin6_addr)) key = 1;
    } else if (any->sa_family == AF_INET) {
        key = std::uint64_t{1} << 32 | static_cast<const sockaddr_in*>(address)->sin_addr.s_addr;
    }
    return key == 0 ? 1 : key;
}

// --- a ticket ------------------------------------------------------------------------------------

connection_ticket::connection_ticket(std::shared_ptr<listener_places> listener, poll_group& group,
                                     std::uint64_t address, instant opened) noexcept
    : message(&connection_ticket::at_group),
      listener_(std::move(listener)),
      group_(group),
      address_(address),
      heard_(opened) {}

void connection_ticket::spoke() noexcept {
    stage was = stage::silent;
    stage_.compare_exchange_strong(was, stage::speaking, std::memory_order_acq_rel);
}

// The Connect has come home, so that the control reactor has it in hand no more.
void connection_ticket::connect_refused() noexcept {
    stage was = stage::admitted;
    if (!stage_.compare_exchange_strong(was, stage::speaking, std::memory_order_acq_rel)) return;
    listener_->admitted_.fetch_sub(1, std::memory_order_relaxed);
    listener_->waiting_.fetch_add(1, std::memory_order_relaxed);
}

void connection_ticket::end() noexcept {
    owner_ = nullptr;
    const stage was = stage_.exchange(stage::ended, std::memory_order_acq_rel);
    if (was == stage::ended) return;
    auto& counter = was == stage::admitted ? listener_->admitted_ : listener_->waiting_;
    counter.fetch_sub(1, std::memory_order_relaxed);
}

void connection_ticket::at_group(engine::message& m) noexcept {
    auto& self = static_cast<connection_ticket&>(m);
    const std::shared_ptr<connection_ticket> kept = std::move(self.under_way_);
    if (self.owner_ == nullptr) return;
    self.group_.count(&group_counters::gave_way);
    self.owner_->close(close_reason::gave_way);
}

// --- all of a listener ---------------------------------------------------------------------------

listener_places::listener_places(std::string name, std::uint32_t most_connections)
    : name_(std::move(name)), most_(most_connections) {}

void listener_places::forget_ended() noexcept {
    std::erase_if(tickets_, [](const auto& t) { return t->now() == stage::ended; });
    tidy_at_ = 2 * tickets_.size() + 64;
    if (tickets_.capacity() > 4 * tidy_at_) {
        try {
            tickets_.shrink_to_fit();
        } catch (const std::exception&) {  // it stays as large as it is
        }
    }
}

std::uint32_t listener_places::count(chosen which) const noexcept {
    std::uint32_t n = 0;
    for (const auto& t : tickets_) n += !t->leaving_ && which(*t) ? 1 : 0;
    return n;
}

void listener_places::send_away(const std::shared_ptr<connection_ticket>& one, std::string_view why,
                                instant now) noexcept {
    one->leaving_ = true;
    one->under_way_ = one;
    one->group_.reactor().post(*one);
    if (!complaints_.allow(now)) return;
    try {
        log::warn("{}: {}: the connection that was silent for longest, of whoever has most, ends",
                  name_, why);
    } catch (const std::exception&) {  // no memory for a line: it is counted
    }
}

bool listener_places::make_room(chosen among, const seat& newcomer, const share_rule& rule,
                                instant now, duration silent_for) {
    std::vector<seat> taken;
    std::vector<const std::shared_ptr<connection_ticket>*> whose;
    taken.reserve(tickets_.size());
    whose.reserve(tickets_.size());
    for (const auto& t : tickets_) {
        const instant heard = t->heard_.load(std::memory_order_relaxed);
        const bool too_fresh = silent_for != any_silence && heard > now - silent_for;
        if (t->leaving_ || !among(*t) || too_fresh) continue;
        taken.push_back(
            {.host = newcomer.host == 0 ? 0 : t->host_, .address = t->address_, .heard = heard});
        whose.push_back(&t);
    }
    const auto one = seat_that_gives_way(taken, newcomer, rule);
    if (!one) return false;
    send_away(*whose[*one],
              newcomer.host == 0 ? "too many connections have not sent a Connect yet"
                                 : "connections_per_listener is reached",
              now);
    return true;
}

namespace {
bool is_silent(const connection_ticket& t) noexcept { return t.now() == stage::silent; }
bool is_waiting(const connection_ticket& t) noexcept {
    return t.now() == stage::silent || t.now() == stage::speaking;
}
bool is_admitted(const connection_ticket& t) noexcept { return t.now() == stage::admitted; }
}  // namespace

// Those that have sent nothing for a while first.
bool listener_places::end_a_handshake(std::uint64_t address, instant now) {
    const seat newcomer{.address = address, .heard = now};
    return make_room(&is_silent, newcomer, for_handshakes, now, first_word) ||
           make_room(&is_waiting, newcomer, for_handshakes, now, any_silence);
}

bool listener_places::spare_one(std::uint64_t address, instant now) {
    return waiting_.load(std::memory_order_relaxed) != 0 && end_a_handshake(address, now);
}

std::shared_ptr<connection_ticket> listener_places::arrive(poll_group& group, std::uint64_t address,
                                                           instant now) {
    if (tickets_.size() >= tidy_at_) forget_ended();
    constexpr std::uint32_t most = limits::max_pending_handshakes;
    const std::uint32_t waiting = waiting_.load(std::memory_order_relaxed);
    // A reactor that is slow to end what was sent away must not have it heap up.
    if (waiting >= 2 * most) return nullptr;
    if (waiting >= most && count(&is_waiting) >= most && !end_a_handshake(address, now))
        return nullptr;
    auto made = std::make_shared<connection_ticket>(shared_from_this(), group, address, now);
    tickets_.push_back(made);
    waiting_.fetch_add(1, std::memory_order_relaxed);
    return made;
}

bool listener_places::connects(connection_ticket& one, std::uint64_t host, instant now) noexcept {
    if (one.now() == stage::admitted) return true;  // it has waited for something else
    if (one.leaving_) return false;
    try {
        if (admitted_.load(std::memory_order_relaxed) >= most_ && count(&is_admitted) >= most_) {
            forget_ended();
            const seat newcomer{.host = host, .address = one.address_, .heard = now};
            if (!make_room(&is_admitted, newcomer, for_connections(most_), now, any_silence))
                return false;
        }
    } catch (const std::exception&) {  // no memory to look for one
        return false;
    }
    one.host_ = host;
    one.stage_.store(stage::admitted, std::memory_order_release);
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    admitted_.fetch_add(1, std::memory_order_relaxed);
    return true;
}

}  // namespace fulmar::core
