#include <fulmar/security/dhchap.hpp>

#include <array>

namespace fulmar::security {

namespace {

template <typename Id, std::size_t N>
std::optional<Id> strongest_of(const std::array<Id, N>& all, const id_set<Id>& a,
                               const id_set<Id>& b) noexcept {
    for (auto at = all.rbegin(); at != all.rend(); ++at)
        if (a.has(*at) && b.has(*at)) return *at;
    return std::nullopt;
}

}  // namespace

std::optional<nvme::dhchap_hash> strongest(const id_set<nvme::dhchap_hash>& a,
                                           const id_set<nvme::dhchap_hash>& b) noexcept {
    return strongest_of(nvme::all_dhchap_hashes, a, b);
}

std::optional<nvme::dhchap_group> strongest(const id_set<nvme::dhchap_group>& a,
                                            const id_set<nvme::dhchap_group>& b) noexcept {
    return strongest_of(nvme::all_dhchap_groups, a, b);
}

result<digest> respond(const dhchap_question& to, const secret& key) {
    digest augmented;
    std::span<const std::byte> challenge = to.challenge;
    if (!to.shared.empty()) {
        FULMAR_TRY(const digest hashed, hash_of(to.hash, to.shared));
        FULMAR_TRY(augmented, hmac_of(to.hash, hashed.bytes(), {to.challenge}));
        challenge = augmented.bytes();
    }
    const std::array<std::byte, 7> numbers{
        static_cast<std::byte>(to.seqnum),       static_cast<std::byte>(to.seqnum >> 8),
        static_cast<std::byte>(to.seqnum >> 16), static_cast<std::byte>(to.seqnum >> 24),
        static_cast<std::byte>(to.t_id),         static_cast<std::byte>(to.t_id >> 8),
        static_cast<std::byte>(to.sc_c)};
    const std::string_view text = to.role == dhchap_role::host ? "HostHost" : "Controller";
    const std::array<std::byte, 1> nul{};
    return hmac_of(
        to.hash, key.reveal(),
        {challenge, numbers, bytes_of(text), bytes_of(to.own_nqn), nul, bytes_of(to.other_nqn)});
}

}  // namespace fulmar::security
