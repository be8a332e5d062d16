// Slots of one size in memory that a device may use: receive buffers, answers.
#pragma once

#include "verbs.hpp"

#include <fulmar/mem/memory_source.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace fulmar::transport::rdma {

/// Made and destroyed on the control reactor, used on one data reactor.
class registered_slots {
  public:
    /// Errors: no_memory, or what the device says of the registration.
    static fulmar::result<registered_slots> create(device& where, std::uint32_t count,
                                                   std::uint32_t slot_bytes);

    registered_slots() = default;
    registered_slots(registered_slots&& other) noexcept { swap(other); }
    registered_slots& operator=(registered_slots&& other) noexcept {
        registered_slots(std::move(other)).swap(*this);  // the old one goes as a whole, in order
        return *this;
    }
    ~registered_slots() = default;
    [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint32_t slot_bytes() const noexcept { return slot_bytes_; }
    [[nodiscard]] std::uint32_t key() const noexcept { return registration_->key(); }
    [[nodiscard]] std::span<std::byte> slot(std::uint32_t index) const noexcept {
        return {memory_.data() + std::size_t{index} * slot_bytes_, slot_bytes_};
    }

  private:
    void swap(registered_slots& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(registration_, other.registration_);
        std::swap(count_, other.count_);
        std::swap(slot_bytes_, other.slot_bytes_);
    }

    mem::dma_region memory_;
    std::unique_ptr<memory_region> registration_;  // goes before the memory
    std::uint32_t count_ = 0;
    std::uint32_t slot_bytes_ = 0;
};

}  // namespace fulmar::transport::rdma
