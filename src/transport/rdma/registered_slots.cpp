#include "registered_slots.hpp"

namespace fulmar::transport::rdma {

namespace {
// Ordinary pages: slots are small beside the pools, and EAL's heap is sized for those.
mem::heap_memory& source() noexcept {
    static mem::heap_memory only;
    return only;
}
}  // namespace

fulmar::result<registered_slots> registered_slots::create(device& where, std::uint32_t count,
                                                          std::uint32_t slot_bytes) {
    registered_slots made;
    FULMAR_TRY(made.memory_, source().allocate(std::size_t{count} * slot_bytes));
    FULMAR_TRY(made.registration_,
               where.register_memory({made.memory_.data(), std::size_t{count} * slot_bytes}));
    made.count_ = count;
    made.slot_bytes_ = slot_bytes;
    return made;
}

}  // namespace fulmar::transport::rdma
