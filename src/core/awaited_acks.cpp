#include <fulmar/base/mutation.hpp>
#include <fulmar/core/awaited_acks.hpp>

namespace fulmar::core {

void awaited_acks::begin(std::uint64_t number, std::uint32_t groups) noexcept {
    *this = {};
    transition = number;
    missing = groups >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << groups) - 1;
}

ack_verdict awaited_acks::on_ack(std::uint32_t group, std::uint64_t number, bool succeeded,
                                 std::uint32_t unreaped_there) noexcept {
    const bool current = number == transition || mutated(mutation::stale_acks_count);
    if (!current || !waits_for(group)) return ack_verdict::stale;
    missing &= ~(std::uint64_t{1} << group);
    failed = failed || !succeeded;
    unreaped += unreaped_there;
    return complete() ? ack_verdict::last : ack_verdict::more;
}

bool awaited_acks::must_escalate(std::uint32_t group, std::uint64_t told) const noexcept {
    if (mutated(mutation::deadlines_are_ignored)) return false;
    return late && waits_for(group) && told != transition;
}

}  // namespace fulmar::core
