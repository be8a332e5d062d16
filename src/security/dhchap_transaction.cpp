// Must never: compare with memcmp, or say more of a failure than its explanation.
#include <fulmar/base/assert.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/security/dhchap_transaction.hpp>
#include <fulmar/security/key_source.hpp>

#include <algorithm>
#include <exception>
#include <new>

namespace fulmar::security {

using nvme::auth_failure;
using nvme::auth_id;
using nvme::auth_type;

namespace {

nvme::auth_header header_of(auth_type type, auth_id id, std::uint16_t t_id) noexcept {
    nvme::auth_header head{};
    head.type = static_cast<std::uint8_t>(type);
    head.id = static_cast<std::uint8_t>(id);
    head.t_id = t_id;
    return head;
}

bool is_message(const nvme::auth_header& head, auth_type type, auth_id id) noexcept {
    return head.type == static_cast<std::uint8_t>(type) && head.id == static_cast<std::uint8_t>(id);
}

/// What a Negotiate offers of our protocol.
struct dhchap_offer {
    bool found = false;
    bool well_formed = false;
    id_set<nvme::dhchap_hash> hashes;
    id_set<nvme::dhchap_group> groups;
};

dhchap_offer read_offer(std::span<const std::byte> descriptors) noexcept {
    dhchap_offer offer;
    for (; !descriptors.empty() && !offer.found;
         descriptors = descriptors.subspan(sizeof(nvme::auth_protocol_descriptor))) {
        const auto one = nvme::read_wire<nvme::auth_protocol_descriptor>(descriptors);
        if (one->authid != nvme::auth_protocol_dhchap) continue;
        offer.found = true;
        offer.well_formed = one->halen <= one->hashes.size() && one->dhlen <= one->groups.size();
        if (!offer.well_formed) return offer;
        for (std::size_t i = 0; i < one->halen; ++i)
            if (const auto id = nvme::parse_dhchap_hash(one->hashes[i])) offer.hashes.add(*id);
        for (std::size_t i = 0; i < one->dhlen; ++i)
            if (const auto id = nvme::parse_dhchap_group(one->groups[i])) offer.groups.add(*id);
    }
    return offer;
}

std::span<const std::byte> piece(std::span<const std::byte> of, std::size_t at,
                                 std::size_t bytes) noexcept {
    return of.subspan(at, bytes);
}

}  // namespace

std::size_t partner_of(std::span<const accepted_key> host, std::size_t which,
                       std::span<const accepted_key> controller) noexcept {
    using time = std::chrono::system_clock::time_point;
    if (which == 0) return 0;
    const time end = host[which].until;
    // Those that have no end were written one beside the other by hand.
    if (end == time::max()) return std::min(which, controller.size() - 1);
    std::size_t nearest = 0;
    auto least = std::chrono::system_clock::duration(limits::keys_exchanged_together);
    for (std::size_t i = 1; i < controller.size(); ++i) {
        if (controller[i].until == time::max()) continue;
        const auto apart =
            controller[i].until > end ? controller[i].until - end : end - controller[i].until;
        if (apart <= least) {
            least = apart;
            nearest = i;
        }
    }
    return nearest;
}

void dhchap_transaction::advance(dhchap_event on) noexcept {
    const auto to = next_state(dhchap_edges, state_, on);
    FULMAR_ASSERT(to.has_value());
    state_ = *to;
    if (state_ == dhchap_state::proven) was_proven_ = true;
    if (state_ == dhchap_state::proven || state_ == dhchap_state::failure_ready ||
        state_ == dhchap_state::required || state_ == dhchap_state::ended)
        forget_secrets();
}

void dhchap_transaction::forget_secrets() noexcept {
    exchange_.reset();
    host_keys_.clear();
    controller_keys_.clear();
}

void dhchap_transaction::put_failure() noexcept {
    nvme::auth_failure_message out{};
    out.head = header_of(auth_type::common, auth_id::failure1, t_id_);
    out.reason = nvme::auth_failure_reason;
    out.explanation = static_cast<std::uint8_t>(*failure_);
    message_bytes_ = sizeof out;
    (void)nvme::write_wire(message_, out);
}

dhchap_work dhchap_transaction::refuse(auth_failure why) noexcept {
    failure_ = why;
    if (state_ != dhchap_state::failure_ready) advance(dhchap_event::refused);
    put_failure();
    return dhchap_work::none;
}

dhchap_work dhchap_transaction::on_message(std::span<const std::byte> message,
                                           const dhchap_demand& demand) {
    FULMAR_ASSERT(state_ != dhchap_state::preparing && state_ != dhchap_state::checking &&
                  state_ != dhchap_state::ended);
    if (state_ == dhchap_state::failure_ready) return dhchap_work::none;  // to be read first
    const auto head = nvme::read_wire<nvme::auth_header>(message);
    if (!head) return refuse(auth_failure::incorrect_payload);
    if (is_message(*head, auth_type::common, auth_id::negotiate)) {
        if (!has_edge(dhchap_edges, state_, dhchap_event::negotiate))
            return refuse(auth_failure::incorrect_message);
        t_id_ = head->t_id.value();
        return on_negotiate(message, demand);
    }
    const bool begun = state_ != dhchap_state::required && state_ != dhchap_state::proven;
    if (!begun) t_id_ = head->t_id.value();
    if (head->t_id.value() != t_id_) return refuse(auth_failure::incorrect_payload);
    if (is_message(*head, auth_type::common, auth_id::failure2)) {
        host_refused_ = true;
        advance(begun && was_proven_ ? dhchap_event::failure2_again : dhchap_event::failure2);
        return dhchap_work::none;
    }
    if (is_message(*head, auth_type::dhchap, auth_id::reply) &&
        state_ == dhchap_state::challenged) {
        demand_ = demand;  // which keys count is what the configuration says now
        return on_reply(message);
    }
    if (is_message(*head, auth_type::dhchap, auth_id::success2) && state_ == dhchap_state::mutual) {
        if (message.size() < sizeof(nvme::dhchap_success2))
            return refuse(auth_failure::incorrect_payload);
        was_mutual_ = true;
        advance(dhchap_event::success2);
        return dhchap_work::none;
    }
    return refuse(auth_failure::incorrect_message);
}

dhchap_work dhchap_transaction::on_negotiate(std::span<const std::byte> message,
                                             const dhchap_demand& demand) {
    const auto asked = nvme::read_wire<nvme::auth_negotiate>(message);
    if (!asked || asked->napd == 0 ||
        message.size() != sizeof *asked + asked->napd * sizeof(nvme::auth_protocol_descriptor))
        return refuse(auth_failure::incorrect_payload);
    if (asked->sc_c != nvme::auth_no_secure_channel)
        return refuse(auth_failure::concatenation_mismatch);
    const dhchap_offer offer = read_offer(message.subspan(sizeof *asked));
    if (!offer.found) return refuse(auth_failure::no_usable_protocol);
    if (!offer.well_formed) return refuse(auth_failure::incorrect_payload);
    const auto hash = strongest(offer.hashes, demand.policy.hashes);
    if (!hash) return refuse(auth_failure::hash_unusable);
    const auto group = strongest(offer.groups, demand.policy.groups);
    if (!group) return refuse(auth_failure::group_unusable);
    hash_ = *hash;
    group_ = *group;
    failure_.reset();
    host_refused_ = false;
    demand_ = demand;
    work_ = work_result::unable;
    advance(dhchap_event::negotiate);
    return dhchap_work::prepare;
}

// Again for each answer: a key that was taken away meanwhile proves nothing.
result<void> dhchap_transaction::find_keys(const key_source& keys) {
    host_keys_.clear();
    controller_keys_.clear();
    FULMAR_TRY(const auto of_host, keys.find(demand_.host_key));
    for (const dhchap_key& key : of_host) {
        FULMAR_TRY(secret one, transformed(key, demand_.host_nqn));
        host_keys_.push_back({std::move(one), key.until});
    }
    if (demand_.controller_key.empty()) return {};
    FULMAR_TRY(const auto of_controller, keys.find(demand_.controller_key));
    for (const dhchap_key& key : of_controller) {
        FULMAR_TRY(secret one, transformed(key, demand_.subsystem_nqn));
        controller_keys_.push_back({std::move(one), key.until});
    }
    return {};
}

result<void> dhchap_transaction::try_prepare(const key_source& keys) {
    forget_secrets();
    FULMAR_CHECK(find_keys(keys));
    if (group_ != nvme::dhchap_group::null) {
        FULMAR_TRY(exchange_, key_exchange::begin(group_));
    }
    FULMAR_CHECK(fill_random(std::span(challenge_).first(size_of(hash_))));
    if (seqnum_ == 0) {  // counts from a random start
        std::array<std::byte, sizeof seqnum_> raw{};
        FULMAR_CHECK(fill_random(raw));
        for (const std::byte b : raw) seqnum_ = seqnum_ << 8 | std::to_integer<std::uint32_t>(b);
    }
    if (++seqnum_ == 0) ++seqnum_;
    return {};
}

void dhchap_transaction::prepare(const key_source& keys) noexcept {
    FULMAR_ASSERT(state_ == dhchap_state::preparing);
    work_ = work_result::unable;
    try {
        if (const auto made = try_prepare(keys); !made)
            return judge(made.error(), auth_failure::failed);
        make_challenge();
        work_ = work_result::right;
    } catch (const std::exception&) {  // no memory: the host may try again
    }
}

void dhchap_transaction::make_challenge() {
    const std::size_t hl = size_of(hash_);
    const auto value = exchange_ ? exchange_->public_value() : std::span<const std::byte>{};
    nvme::dhchap_challenge out{};
    out.head = header_of(auth_type::dhchap, auth_id::challenge, t_id_);
    out.hl = static_cast<std::uint8_t>(hl);
    out.hash = static_cast<std::uint8_t>(hash_);
    out.group = static_cast<std::uint8_t>(group_);
    out.dhvlen = static_cast<std::uint16_t>(value.size());
    out.seqnum = seqnum_;
    (void)nvme::write_wire(message_, out);
    auto at = std::copy_n(challenge_.begin(), hl, message_.begin() + sizeof out);
    at = std::copy(value.begin(), value.end(), at);
    message_bytes_ = static_cast<std::size_t>(at - message_.begin());
}

dhchap_work dhchap_transaction::on_reply(std::span<const std::byte> message) noexcept {
    const auto said = nvme::read_wire<nvme::dhchap_reply>(message);
    const std::size_t hl = size_of(hash_);
    if (!said || said->hl != hl || said->cvalid > 1 || said->dhvlen.value() != size_of(group_) ||
        message.size() != sizeof *said + 2 * hl + size_of(group_))
        return refuse(auth_failure::incorrect_payload);
    // A second challenge without a sequence number is for a secure channel, which nobody agreed on.
    if (said->cvalid == 1 && said->seqnum.value() == 0)
        return refuse(auth_failure::incorrect_payload);
    std::copy(message.begin(), message.end(), message_.begin());
    message_bytes_ = message.size();
    work_ = work_result::unable;
    advance(dhchap_event::reply);
    return dhchap_work::check;
}

result<bool> dhchap_transaction::is_right(const secret& key,
                                          std::span<const std::byte> shared) const {
    const std::size_t hl = size_of(hash_);
    FULMAR_TRY(const digest wanted, respond({.role = dhchap_role::host,
                                             .hash = hash_,
                                             .challenge = piece(challenge_, 0, hl),
                                             .shared = shared,
                                             .seqnum = seqnum_,
                                             .t_id = t_id_,
                                             .own_nqn = demand_.host_nqn,
                                             .other_nqn = demand_.subsystem_nqn},
                                            key));
    return equal(wanted.bytes(), piece(message_, sizeof(nvme::dhchap_reply), hl));
}

// Replaces the reply by Success1. A host that has its former key is answered with our former one.
result<void> dhchap_transaction::answer_host(std::span<const std::byte> shared, std::size_t which) {
    const auto said = nvme::read_wire<nvme::dhchap_reply>(message_);
    const std::size_t hl = size_of(hash_);
    digest response;
    if (said->cvalid == 1) {
        if (controller_keys_.empty())
            return fail(errc::permission_denied, "the controller has no key");
        FULMAR_TRY(
            response,
            respond({.role = dhchap_role::controller,
                     .hash = hash_,
                     .challenge = piece(message_, sizeof *said + hl, hl),
                     .shared = shared,
                     .seqnum = said->seqnum.value(),
                     .t_id = t_id_,
                     .own_nqn = demand_.subsystem_nqn,
                     .other_nqn = demand_.host_nqn},
                    controller_keys_[partner_of(host_keys_, which, controller_keys_)].bytes));
    }
    nvme::dhchap_success1 out{};
    out.head = header_of(auth_type::dhchap, auth_id::success1, t_id_);
    out.hl = static_cast<std::uint8_t>(hl);
    out.rvalid = said->cvalid;
    message_.fill(std::byte{0});
    (void)nvme::write_wire(message_, out);
    const auto bytes = response.bytes();
    std::copy(bytes.begin(), bytes.end(), message_.begin() + sizeof out);
    message_bytes_ = sizeof out + hl;
    return {};
}

result<void> dhchap_transaction::try_check(const key_source& keys) {
    FULMAR_CHECK(find_keys(keys));
    secret shared;
    const std::size_t hl = size_of(hash_);
    if (exchange_) {
        FULMAR_TRY(shared, exchange_->shared_with(piece(
                               message_, sizeof(nvme::dhchap_reply) + 2 * hl, size_of(group_))));
    }
    std::optional<std::size_t> which;
    for (std::size_t i = 0; i < host_keys_.size(); ++i) {
        FULMAR_TRY(const bool right, is_right(host_keys_[i].bytes, shared.reveal()));
        if (right && !which) which = i;
    }
    if (!which) return fail(errc::permission_denied, "the response is wrong");
    return answer_host(shared.reveal(), *which);
}

void dhchap_transaction::check(const key_source& keys) noexcept {
    FULMAR_ASSERT(state_ == dhchap_state::checking);
    work_ = work_result::unable;
    try {
        if (const auto right = try_check(keys); !right)
            return judge(right.error(), auth_failure::incorrect_payload);
        work_ = work_result::right;
    } catch (const std::exception&) {  // no memory: the host may try again
    }
}

// What we are short of is nothing that the host has failed in.
void dhchap_transaction::judge(const error& why, auth_failure of_argument) noexcept {
    if (why.code == errc::no_memory || why.code == errc::unavailable) return;
    work_ = work_result::wrong;
    verdict_ = why.code == errc::invalid_argument ? of_argument : auth_failure::failed;
}

bool dhchap_transaction::done() noexcept {
    switch (work_) {
        case work_result::wrong: refuse(verdict_); break;
        case work_result::right:
            advance(state_ == dhchap_state::preparing ? dhchap_event::prepared
                                                      : dhchap_event::proved);
            break;
        case work_result::unable: give_up(); return false;
    }
    return true;
}

void dhchap_transaction::give_up() noexcept {
    advance(was_proven_ ? dhchap_event::unable_again : dhchap_event::unable);
}

std::span<const std::byte> dhchap_transaction::read() noexcept {
    if (!has_message(state_)) refuse(auth_failure::incorrect_message);
    const auto success = nvme::read_wire<nvme::dhchap_success1>(message_);
    const bool asks = state_ == dhchap_state::success_ready && success->rvalid == 1;
    if (state_ == dhchap_state::success_ready) was_mutual_ = false;  // until Success2 says so
    advance(asks ? dhchap_event::read_response : dhchap_event::read);
    return std::span(message_).first(message_bytes_);
}

void dhchap_transaction::expire() noexcept {
    advance(was_proven_ ? dhchap_event::expired_again : dhchap_event::expired);
}

}  // namespace fulmar::security
