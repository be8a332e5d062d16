#include <fulmar/security/dhchap_host.hpp>

#include <algorithm>
#include <string_view>

namespace fulmar::security {

using nvme::auth_failure;
using nvme::auth_id;
using nvme::auth_type;

namespace {

template <typename Message>
Message begin_message(auth_type type, auth_id id, std::uint16_t t_id) noexcept {
    Message out{};
    out.head.type = static_cast<std::uint8_t>(type);
    out.head.id = static_cast<std::uint8_t>(id);
    out.head.t_id = t_id;
    return out;
}

// Not insert(): where it is inlined, g++ 12 takes one of its cases for an overflow.
void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
    const std::size_t before = to.size();
    to.resize(before + bytes.size());
    std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(before));
}

template <typename Message>
void append(std::vector<std::byte>& to, const Message& message) {
    append(to, std::span<const std::byte>(nvme::wire_bytes(message)));
}

tl::unexpected<error> wrong_message(const char* what) { return fail(errc::invalid_argument, what); }

std::string_view words_of_failure(std::uint8_t explanation) noexcept {
    switch (static_cast<auth_failure>(explanation)) {
        case auth_failure::failed: return "the key is wrong";
        case auth_failure::no_usable_protocol: return "it wants another protocol";
        case auth_failure::concatenation_mismatch: return "it wants other secure channels";
        case auth_failure::hash_unusable: return "it allows none of the hashes offered";
        case auth_failure::group_unusable: return "it allows none of the groups offered";
        case auth_failure::incorrect_payload: return "it could not read a message";
        case auth_failure::incorrect_message: return "a message came out of order";
    }
    return "it does not say why";
}

}  // namespace

std::vector<std::byte> dhchap_host::negotiate() const {
    auto head = begin_message<nvme::auth_negotiate>(auth_type::common, auth_id::negotiate, t_id_);
    head.napd = 1;
    nvme::auth_protocol_descriptor offer{};
    offer.authid = nvme::auth_protocol_dhchap;
    for (const auto hash : nvme::all_dhchap_hashes)
        if (who_.policy.hashes.has(hash))
            offer.hashes[offer.halen++] = static_cast<std::uint8_t>(hash);
    for (const auto group : nvme::all_dhchap_groups)
        if (who_.policy.groups.has(group))
            offer.groups[offer.dhlen++] = static_cast<std::uint8_t>(group);
    std::vector<std::byte> out;
    append(out, head);
    append(out, offer);
    return out;
}

result<void> dhchap_host::check_header(std::span<const std::byte> message, auth_id wanted) const {
    const auto head = nvme::read_wire<nvme::auth_header>(message);
    if (!head || head->t_id.value() != t_id_)
        return wrong_message("the controller answered with another transaction");
    if (head->type == static_cast<std::uint8_t>(auth_type::common) &&
        head->id == static_cast<std::uint8_t>(auth_id::failure1)) {
        const auto failure = nvme::read_wire<nvme::auth_failure_message>(message);
        return fail(errc::permission_denied,
                    "the controller refused the authentication: " +
                        std::string(words_of_failure(failure ? failure->explanation : 0)));
    }
    if (head->type != static_cast<std::uint8_t>(auth_type::dhchap) ||
        head->id != static_cast<std::uint8_t>(wanted))
        return wrong_message("the controller answered with a message that is not due");
    return {};
}

result<void> dhchap_host::read_challenge(std::span<const std::byte> message) {
    FULMAR_CHECK(check_header(message, auth_id::challenge));
    const auto said = nvme::read_wire<nvme::dhchap_challenge>(message);
    if (!said) return wrong_message("the challenge is cut short");
    const auto hash = nvme::parse_dhchap_hash(said->hash);
    const auto group = nvme::parse_dhchap_group(said->group);
    if (!hash || !group || !who_.policy.hashes.has(*hash) || !who_.policy.groups.has(*group))
        return wrong_message("the controller chose what was not offered");
    const std::size_t hl = size_of(*hash);
    if (said->hl != hl || said->dhvlen.value() != size_of(*group) || said->seqnum.value() == 0 ||
        message.size() < sizeof *said + hl + size_of(*group))
        return wrong_message("the lengths in the challenge do not fit");
    hash_ = *hash;
    group_ = *group;
    s1_ = said->seqnum.value();
    const auto c1 = message.subspan(sizeof *said, hl);
    c1_.assign(c1.begin(), c1.end());
    if (group_ == nvme::dhchap_group::null) return {};
    return exchange_with(message.subspan(sizeof *said + hl, size_of(group_)));
}

result<void> dhchap_host::exchange_with(std::span<const std::byte> peer) {
    FULMAR_TRY(exchange_, key_exchange::begin(group_));
    FULMAR_TRY(shared_, exchange_->shared_with(peer));
    return {};
}

result<std::vector<std::byte>> dhchap_host::on_challenge(std::span<const std::byte> message) {
    FULMAR_CHECK(read_challenge(message));
    FULMAR_TRY(const secret key, transformed(who_.host_key, who_.host_nqn));
    FULMAR_TRY(const digest response, respond({.role = dhchap_role::host,
                                               .hash = hash_,
                                               .challenge = c1_,
                                               .shared = shared_.reveal(),
                                               .seqnum = s1_,
                                               .t_id = t_id_,
                                               .own_nqn = who_.host_nqn,
                                               .other_nqn = who_.subsystem_nqn},
                                              key));
    c2_.assign(size_of(hash_), std::byte{0});
    if (who_.controller_key) {
        FULMAR_CHECK(fill_random(c2_));
        s2_ = s1_ == 0xffffffffu ? 1 : s1_ + 1;
    }
    const auto value = exchange_ ? exchange_->public_value() : std::span<const std::byte>{};
    auto head = begin_message<nvme::dhchap_reply>(auth_type::dhchap, auth_id::reply, t_id_);
    head.hl = static_cast<std::uint8_t>(size_of(hash_));
    head.cvalid = who_.controller_key ? 1 : 0;
    head.dhvlen = static_cast<std::uint16_t>(value.size());
    head.seqnum = s2_;
    std::vector<std::byte> out;
    append(out, head);
    append(out, response.bytes());
    append(out, std::span<const std::byte>(c2_));
    append(out, value);
    return out;
}

result<std::optional<std::vector<std::byte>>> dhchap_host::on_success1(
    std::span<const std::byte> message) {
    FULMAR_CHECK(check_header(message, auth_id::success1));
    const auto said = nvme::read_wire<nvme::dhchap_success1>(message);
    if (!said || said->hl != size_of(hash_)) return wrong_message("Success1 has another length");
    if (!who_.controller_key) return std::nullopt;
    if (said->rvalid != 1 || message.size() < sizeof *said + size_of(hash_))
        return fail(errc::permission_denied, "the controller did not prove who it is");
    FULMAR_TRY(const secret key, transformed(*who_.controller_key, who_.subsystem_nqn));
    FULMAR_TRY(const digest wanted, respond({.role = dhchap_role::controller,
                                             .hash = hash_,
                                             .challenge = c2_,
                                             .shared = shared_.reveal(),
                                             .seqnum = s2_,
                                             .t_id = t_id_,
                                             .own_nqn = who_.subsystem_nqn,
                                             .other_nqn = who_.host_nqn},
                                            key));
    if (!equal(wanted.bytes(), message.subspan(sizeof *said, size_of(hash_))))
        return fail(errc::permission_denied,
                    "the controller could not prove who it is: its key is another");
    std::vector<std::byte> out;
    append(out, begin_message<nvme::dhchap_success2>(auth_type::dhchap, auth_id::success2, t_id_));
    return out;
}

std::vector<std::byte> dhchap_host::failure2(auth_failure why) const {
    auto message =
        begin_message<nvme::auth_failure_message>(auth_type::common, auth_id::failure2, t_id_);
    message.reason = nvme::auth_failure_reason;
    message.explanation = static_cast<std::uint8_t>(why);
    std::vector<std::byte> out;
    append(out, message);
    return out;
}

}  // namespace fulmar::security
