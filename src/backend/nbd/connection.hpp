// One connection of one reactor: makes requests, and sees their answers. Owning reactor only. Must
// never allocate of itself; libnbd allocates a record for each request.
#pragma once

#include "handle.hpp"
#include "job.hpp"

#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <cstddef>
#include <cstdint>

namespace fulmar::backend::nbd {

/// Called on: owning reactor, unless a method says otherwise. Each request adds to job::requests,
/// and takes that back when it ends (place::request_ended).
class connection {
  public:
    /// Answers looked for in one turn.
    static constexpr std::uint32_t answers_per_turn = 64;

    /// Called on: any thread.
    explicit connection(handle open) noexcept : handle_(std::move(open)) {}
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection();

    /// Errors: no_memory.
    result<void> listen(place& of);
    /// What is outstanding is dropped: no request of it tells anybody any more, none is sent any
    /// more, and its memory is not touched. What the server has received it may still carry out.
    /// `orderly`: the server is told so; else what this machine has not sent yet is thrown away.
    void close(bool orderly) noexcept;
    [[nodiscard]] bool dead() const noexcept;

    void read(job& j, void* into, std::size_t bytes, std::uint64_t offset) noexcept;
    void write(job& j, const void* from, std::size_t bytes, std::uint64_t offset,
               bool durable) noexcept;
    void flush(job& j) noexcept;
    void trim(job& j, std::uint64_t bytes, std::uint64_t offset, bool durable) noexcept;
    void zero(job& j, std::uint64_t bytes, std::uint64_t offset, bool durable) noexcept;

  private:
    void ready(std::uint32_t events) noexcept;
    void read_answers() noexcept;
    void heed_direction() noexcept;
    void requested(job& j, std::int64_t cookie) noexcept;
    static int ended(void* of, int* error) noexcept;

    handle handle_;
    engine::reactor* reactor_ = nullptr;
    place* place_ = nullptr;
    bool wants_to_write_ = false;  // the socket is full
    engine::member_watch<&connection::ready> watch_{*this};
};

}  // namespace fulmar::backend::nbd
