// Must never: log anything that a message or a key holds but names.
#include "queue_authentication.hpp"

#include "authentication_lane.hpp"
#include "command/proof.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/core/connect_refusal.hpp>
#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/security/key_source.hpp>

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

namespace fulmar::core {

namespace sc = nvme::sc;
using security::dhchap_state;
using security::dhchap_work;

static_assert(sizeof(queue_authentication) + sizeof(security::key_exchange) <=
              limits::unproven_queue_bytes / 2);  // keys, names and OpenSSL have the other half

namespace {

/// Where nobody brings keys.
class no_keys final : public security::key_source {
  public:
    security::key_state state_of(std::string_view) const noexcept override {
        return security::key_state::missing;
    }
    result<std::vector<security::dhchap_key>> find(std::string_view) const override {
        return fail(errc::not_found, "there are no keys");
    }
};

std::string_view why_refused(nvme::auth_failure failure) noexcept {
    switch (failure) {
        case nvme::auth_failure::failed: return "it does not have the key that is configured";
        case nvme::auth_failure::no_usable_protocol: return "it does not offer DH-HMAC-CHAP";
        case nvme::auth_failure::concatenation_mismatch: return "it wants a secure channel";
        case nvme::auth_failure::hash_unusable: return "it offers no hash that is allowed";
        case nvme::auth_failure::group_unusable: return "it offers no group that is allowed";
        case nvme::auth_failure::incorrect_payload: return "a message is malformed";
        case nvme::auth_failure::incorrect_message: return "a message came out of order";
    }
    return "?";
}

}  // namespace

queue_authentication::queue_authentication(qpair& q) noexcept : queue_(q) {
    q.group().newcomer_pool().open(credit_, 1, false);
}

queue_authentication::~queue_authentication() {
    FULMAR_ASSERT(!running() && sender_ == nullptr);
    queue_.group().reactor().timers().cancel(deadline_);
    queue_.group().newcomer_pool().close(credit_);
}

// Once the last answer has left; it is not worth a look at each.
void queue_authentication::release_credit() noexcept {
    if (!credit_.open()) return;
    if (credit_.held() == 0 && !credit_.waiting())
        return queue_.group().newcomer_pool().close(credit_);
    queue_.group().reactor().timers().arm(
        deadline_, queue_.group().reactor().now() + limits::newcomer_patience);
}

std::string_view queue_authentication::describe() const noexcept {
    if (!transaction_.was_proven()) return "pending";
    return transaction_.is_mutual() ? "mutual" : "host";
}

// As the configuration is now: who is asked again is asked for the present key.
security::dhchap_demand queue_authentication::demand() const {
    const subsystem_description& view = *queue_.subsystem()->view;
    security::dhchap_demand out;
    out.policy = view.dhchap;
    out.host_nqn = queue_.asked().host_nqn();
    out.subsystem_nqn = queue_.asked().subsystem_nqn();
    if (const host_keys_spec* keys = view.keys_of(out.host_nqn)) {
        out.host_key = keys->dhchap_key;
        out.controller_key = keys->dhchap_ctrl_key;
    }
    return out;
}

// For the next message; where the host is not awaited, no more.
void queue_authentication::arm() noexcept {
    auto& timers = queue_.group().reactor().timers();
    timers.cancel(deadline_);
    const dhchap_state now = transaction_.state();
    if (now == dhchap_state::ended)  // what is under way does not keep it: AERs never end
        timers.arm(deadline_, queue_.group().reactor().now() + limits::authentication_farewell);
    if (!security::awaits_host(now)) return;
    // The keep-alive time is the peer's own word.
    const duration most = limits::authentication_patience;
    const duration kato = std::chrono::milliseconds(queue_.asked().keep_alive_ms);
    timers.arm(deadline_, queue_.group().reactor().now() +
                              (kato != duration::zero() ? std::min(kato, most) : most));
}

void queue_authentication::on_late() noexcept {
    if (transaction_.state() == dhchap_state::proven) return release_credit();
    if (transaction_.state() == dhchap_state::ended)
        return queue_.close(close_reason::not_authenticated);
    transaction_.expire();
    queue_.note("authentication", "silent");
    queue_.group().count(&group_counters::failed_authentications);
    if (transaction_.state() == dhchap_state::ended) queue_.close(close_reason::not_authenticated);
}

void queue_authentication::finish(request& r, nvme::status status) noexcept {
    queue_.finish(r, status);
}

// A message that finds no memory is refused before anything has changed.
void queue_authentication::send(request& r, std::span<const std::byte> bytes) noexcept {
    FULMAR_ASSERT(sender_ == nullptr);
    const dhchap_state before = transaction_.state();
    if (before == dhchap_state::ended) return finish(r, sc::command_sequence_error.no_retry());
    const bool begins = before == dhchap_state::required || before == dhchap_state::proven;
    if (begins && !queue_.group().authentications().has_room_for(queue_))
        return finish(r, sc::command_interrupted);  // what has begun goes on
    try {
        wanted_ = transaction_.on_message(bytes, demand());
    } catch (const std::exception&) {
        return finish(r, sc::command_interrupted);
    }
    if (wanted_ == dhchap_work::none) {
        follow(before);
        return finish(r, sc::success);
    }
    arm();
    sender_ = &r;
    queue_.group().authentications().enter(*this);
}

bool queue_authentication::begin_work() noexcept {
    return start(queue_.group().reactor()).has_value();
}

void queue_authentication::work() noexcept {
    static const no_keys nobody;
    const security::key_source* const keys = queue_.group().target().keys();
    if (wanted_ == dhchap_work::prepare)
        transaction_.prepare(keys != nullptr ? *keys : nobody);
    else
        transaction_.check(keys != nullptr ? *keys : nobody);
}

void queue_authentication::on_done() noexcept { queue_.group().authentications().finished(*this); }

void queue_authentication::on_abandoned() noexcept { FULMAR_ASSERT(false); }  // never abandoned

// A queue that is proven now has to have its place before its host hears of it.
void queue_authentication::work_is_over() noexcept {
    if (queue_.usable() && transaction_.will_prove())
        return command::proof::start(queue_.connecting());
    conclude(true);
}

void queue_authentication::placed(bool has_place) noexcept { conclude(has_place); }

void queue_authentication::conclude(bool has_place) noexcept {
    request& r = *std::exchange(sender_, nullptr);
    const dhchap_state before = transaction_.state();
    wanted_ = dhchap_work::none;
    if (!has_place) transaction_.give_up();
    const bool done = has_place && transaction_.done();
    if (queue_.usable()) {
        if (done)
            follow(before);
        else
            begin_again(has_place);
    }
    // Last: it may end the connection, and this.
    finish(r, done ? sc::success : sc::command_interrupted);
}

// By no fault of the host: where there is no place for its queue, it has to connect anew.
void queue_authentication::begin_again(bool has_place) noexcept {
    arm();
    queue_.note("authentication", has_place ? "unable" : "no-place");
    queue_.group().count(&group_counters::failed_authentications);
    if (!has_place) queue_.close_when_idle(close_reason::not_authenticated);
}

void queue_authentication::receive(request& r) noexcept {
    const dhchap_state before = transaction_.state();
    if (before == dhchap_state::ended ||
        (before == dhchap_state::proven && !security::has_message(before)))
        return finish(r, sc::command_sequence_error.no_retry());
    // Where nothing is ready, a failure is read.
    const std::size_t wanted = security::has_message(before) ? transaction_.ready_bytes()
                                                             : sizeof(nvme::auth_failure_message);
    if (wanted > r.length) return finish(r, sc::invalid_field.no_retry());
    const std::span<const std::byte> bytes = transaction_.read();
    r.chain.copy_in(0, bytes);
    if (bytes.size() < r.length) r.chain.zero(bytes.size(), r.length - bytes.size());
    follow(before);
    finish(r, sc::success);
}

// What the transaction has become means to the queue. The answer that is under way goes out first.
void queue_authentication::follow(dhchap_state before) noexcept {
    const dhchap_state now = transaction_.state();
    if (now == before) return;  // what changes nothing puts no deadline off
    arm();
    queue_.note("authentication", security::to_string(now).data());
    if (now == dhchap_state::failure_ready ||
        (now == dhchap_state::ended && before != dhchap_state::failure_ready))
        tell_failure();
    if (now == dhchap_state::ended) queue_.close_when_idle(close_reason::not_authenticated);
    if (now == dhchap_state::proven)  // or still so, where the host did not believe us
        transaction_.host_refused() ? tell_failure() : become_proven();
}

void queue_authentication::become_proven() noexcept {
    queue_.group().count(&group_counters::authentications);
    if (queue_.unproven() && !queue_.prove())
        return queue_.close_when_idle(close_reason::not_authenticated);
    release_credit();
}

void queue_authentication::tell_failure() noexcept {
    poll_group& group = queue_.group();
    group.count(&group_counters::failed_authentications);
    if (!group.may_log_peer_error()) return;
    try {
        const connect_op& asked = queue_.asked();
        const connection_status from = queue_.status();
        const std::string_view why = transaction_.host_refused()
                                         ? "it does not believe that we are the subsystem: our key "
                                           "is not the one that it has"
                                     : transaction_.failure() ? why_refused(*transaction_.failure())
                                                              : "it read nothing";
        log::warn("Authentication failed: host {} at {}, queue {} of subsystem {}: {}",
                  printable(asked.host_nqn()), from.peer, asked.command.qid.value(),
                  printable(asked.subsystem_nqn()), why);
    } catch (const std::exception&) {  // no memory for a line: it was counted
    }
}

void queue_authentication::connection_ends() noexcept {
    queue_.group().reactor().timers().cancel(deadline_);
    if (sender_ == nullptr || !lane_hook.is_linked()) return;  // what is on its way comes home
    queue_.group().authentications().leave(*this);
    finish(*std::exchange(sender_, nullptr), sc::aborted_sq_deletion);
}

}  // namespace fulmar::core
