// One command, waited for: what tools and tests mostly want of a queue.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/host/deadline.hpp>
#include <fulmar/host/queue.hpp>
#include <fulmar/nvme/command.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fulmar::host {

/// What a controller answered.
struct reply {
    nvme::cqe answer{};
    std::uint32_t transferred = 0;  ///< bytes it sent, or took
    bool data_damaged = false;

    [[nodiscard]] nvme::status status() const noexcept { return answer.get_status(); }
    [[nodiscard]] bool ok() const noexcept { return nvme::is_success(status()) && !data_damaged; }
    [[nodiscard]] std::uint32_t dw0() const noexcept { return answer.dw0.value(); }
};

/// A command and its data. CID, flags and SGL are filled in, unless `sgl_as_given`.
struct command {
    nvme::sqe sqe{};
    transfer direction = transfer::none;
    std::span<std::byte> data{};
    bool sgl_as_given = false;
    bool data_in_capsule = true;
};

/// Sends `what` and polls `q` until it is answered; a status other than success is a reply, too.
/// Past `until` the queue is closed, since the command's data could be touched for ever.
/// Errors: timed_out; or why the queue is closed.
[[nodiscard]] result<reply> execute(queue& q, const command& what, const deadline& until);

/// The same, with a status other than success as an io_error that names `what_for`.
[[nodiscard]] result<reply> execute_ok(queue& q, const command& what, const deadline& until,
                                       std::string_view what_for);

/// "Invalid Field in Command (SCT 0h, SC 02h, DNR)".
[[nodiscard]] std::string text_of(nvme::status s);

}  // namespace fulmar::host
