// Connections of libnbd, and how they come about. What blocks here runs on helper threads.
#pragma once

#include <fulmar/backend/nbd_device.hpp>
#include <fulmar/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct nbd_handle;

namespace fulmar::backend::nbd {

struct handle_closer {
    void operator()(nbd_handle* h) const noexcept;
};
/// Closing it drops what is outstanding, without a word to anybody.
using handle = std::unique_ptr<nbd_handle, handle_closer>;

/// What a server says of an export.
struct export_facts {
    std::uint64_t size_bytes = 0;
    bool read_only = false;
    bool can_flush = false;
    bool can_fua = false;
    bool can_trim = false;
    bool can_zero = false;
    bool multi_conn = false;            ///< a flush by one connection covers all of them
    std::uint64_t least_block = 1;      ///< requests are multiples of it
    std::uint64_t preferred_block = 0;  ///< 0: not told
    std::uint64_t payload_bytes = limits::nbd_payload_bytes;  ///< of one request, at most
    std::string name{};         ///< as the server calls the export; empty: not told
    std::string description{};  ///< empty: not told
};

/// One incarnation of the connections. `handles` has at least one.
struct opened_export {
    std::vector<handle> handles{};
    export_facts facts{};
    std::string shortage{};  ///< why there are fewer than were wanted; empty: there are not
};

/// Errors: invalid_argument (at "/uri").  Called on: any thread.
result<void> check_uri(const nbd_options& options);

/// Connects, `wanted` times where the server promises that a flush covers all connections. Blocks,
/// at most limits::nbd_connecting, a second for each further connection, and what looking up a name
/// takes.  Errors: unavailable; timed_out; no_memory.  Called on: a helper thread.
result<opened_export> connect(const nbd_options& options, std::size_t wanted);

}  // namespace fulmar::backend::nbd
