#include "block_stream.hpp"

#include <fulmar/host/execute.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace fulmar::cli {

namespace {
/// One piece of a window under way.
struct piece final : host::request {
    piece() noexcept
        : request([](host::request& r) noexcept { static_cast<piece&>(r).over = true; }) {}
    std::uint64_t lba = 0;
    bool over = true;
};
}  // namespace

block_stream::block_stream(host::controller& c, host::queue& q, const open_namespace& ns)
    : controller_(c),
      queue_(q),
      ns_(ns),
      piece_bytes_(static_cast<std::uint32_t>(
          std::min<std::uint64_t>(c.max_transfer_bytes(), piece_bytes_max))) {
    window_.resize(std::size_t{piece_bytes_} * depth);
}

result<void> block_stream::move(std::uint64_t lba, std::span<std::byte> data, bool writing) {
    std::array<piece, depth> pieces;
    std::size_t used = 0;
    for (std::size_t at = 0; at < data.size(); at += piece_bytes_) {
        piece& p = pieces[used++];
        const auto part = data.subspan(at, std::min<std::size_t>(piece_bytes_, data.size() - at));
        p.lba = lba + at / ns_.block_bytes;
        p.command.opcode =
            static_cast<std::uint8_t>(writing ? nvme::io_opcode::write : nvme::io_opcode::read);
        p.command.nsid = ns_.nsid;
        nvme::encode_block_range(
            p.command,
            {.slba = p.lba, .blocks = static_cast<std::uint32_t>(part.size() / ns_.block_bytes)});
        p.direction = writing ? host::transfer::to_controller : host::transfer::from_controller;
        p.data = part.data();
        p.data_bytes = static_cast<std::uint32_t>(part.size());
        if (queue_.submit(p) == host::submit_result::queued) p.over = false;
    }
    const host::deadline until(controller_.options().timeout);
    while (queue_.outstanding() != 0) {
        controller_.poll();
        if (queue_.poll()) continue;
        if (until.passed())
            queue_.close();
        else
            queue_.wait(host::deadline(std::chrono::milliseconds(100)));
    }
    for (std::size_t i = 0; i < used; ++i) {
        if (!pieces[i].answered) return tl::unexpected(queue_.why_closed());
        if (!pieces[i].succeeded())
            return fail(errc::io_error,
                        fmt::format("{} at LBA {}: {}", writing ? "write" : "read", pieces[i].lba,
                                    host::text_of(pieces[i].status())));
    }
    return {};
}

result<void> block_stream::read(std::uint64_t lba, std::uint64_t blocks,
                                const std::function<bool(std::span<const std::byte>)>& sink) {
    while (blocks != 0) {
        const std::uint64_t now = std::min<std::uint64_t>(blocks, window_.size() / ns_.block_bytes);
        const auto data = std::span(window_).first(now * ns_.block_bytes);
        FULMAR_CHECK(move(lba, data, false));
        if (!sink(data)) return {};
        lba += now;
        blocks -= now;
    }
    return {};
}

result<std::uint64_t> block_stream::write(
    std::uint64_t lba, std::uint64_t blocks,
    const std::function<std::size_t(std::span<std::byte>)>& source) {
    std::uint64_t written = 0;
    while (blocks != 0) {
        const auto room = std::span(window_).first(
            std::min<std::uint64_t>(blocks, window_.size() / ns_.block_bytes) * ns_.block_bytes);
        std::size_t held = 0;
        while (held < room.size()) {
            const std::size_t got = source(room.subspan(held));
            if (got == 0) break;
            held += got;
        }
        if (held == 0) break;
        const std::size_t whole = (held + ns_.block_bytes - 1) / ns_.block_bytes * ns_.block_bytes;
        std::fill(room.begin() + static_cast<std::ptrdiff_t>(held),
                  room.begin() + static_cast<std::ptrdiff_t>(whole), std::byte{});
        FULMAR_CHECK(move(lba, room.first(whole), true));
        written += held;
        lba += whole / ns_.block_bytes;
        blocks -= whole / ns_.block_bytes;
        if (held < room.size()) break;
    }
    return written;
}

result<void> block_stream::flush() {
    host::command cmd;
    cmd.sqe.opcode = static_cast<std::uint8_t>(nvme::io_opcode::flush);
    cmd.sqe.nsid = ns_.nsid;
    FULMAR_CHECK(
        host::execute_ok(queue_, cmd, host::deadline(controller_.options().timeout), "flush"));
    return {};
}

}  // namespace fulmar::cli
