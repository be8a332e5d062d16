// Where large, long-lived memory comes from: EAL's heap (hugepages, DMA) or, for tests and tools,
// plain mmap. Any thread, but never on a reactor that is serving: allocation may take the kernel's
// and EAL's locks.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstddef>
#include <utility>

namespace fulmar::mem {

class memory_source;

/// A block of memory with one owner; it goes back to its source when the owner dies. Zero-filled at
/// first.
class dma_region {
  public:
    dma_region() noexcept = default;
    dma_region(dma_region&& other) noexcept { swap(other); }
    dma_region& operator=(dma_region&& other) noexcept {
        dma_region(std::move(other)).swap(*this);
        return *this;
    }
    dma_region(const dma_region&) = delete;
    dma_region& operator=(const dma_region&) = delete;
    ~dma_region();

    /// Called on: any thread.
    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    explicit operator bool() const noexcept { return data_ != nullptr; }

  private:
    friend class memory_source;
    dma_region(memory_source& source, std::byte* data, std::size_t size) noexcept
        : source_(&source), data_(data), size_(size) {}
    void swap(dma_region& other) noexcept {
        std::swap(source_, other.source_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }

    memory_source* source_ = nullptr;
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Called on: any thread. Outlives its regions.
class memory_source {
  public:
    virtual ~memory_source() = default;

    /// `alignment` is a power of two, at most 2 MiB.  Errors: no_memory.
    result<dma_region> allocate(std::size_t bytes, std::size_t alignment = 4096);

  protected:
    friend class dma_region;
    /// Zero-filled memory, or null.
    virtual std::byte* acquire(std::size_t bytes, std::size_t alignment) noexcept = 0;
    virtual void release(std::byte* data, std::size_t bytes) noexcept = 0;
};

/// Private anonymous mappings: untouched pages cost nothing. Needs no EAL.
class heap_memory final : public memory_source {
  private:
    std::byte* acquire(std::size_t bytes, std::size_t alignment) noexcept override;
    void release(std::byte* data, std::size_t bytes) noexcept override;
};

}  // namespace fulmar::mem
