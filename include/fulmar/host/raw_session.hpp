// A bare connection to a target: any bytes go out, whatever comes back is told. The conformance
// tests speak through it where a well-behaved host could not.
#pragma once

#include <fulmar/host/endpoint.hpp>
#include <fulmar/host/fabrics.hpp>
#include <fulmar/host/raw_pdu.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fulmar::host {

/// What awaiting something ended with.
enum class received_kind : std::uint8_t {
    pdu,        ///< one whole PDU, see `pdu`
    closed,     ///< the target closed in order; bytes of an unfinished PDU are in `pdu`
    reset,      ///< the connection was reset
    timed_out,  ///< nothing whole came in time; the session goes on
    not_a_pdu,  ///< a length that no PDU has; everything held is in `pdu`
};
[[nodiscard]] std::string_view describe(received_kind kind) noexcept;

struct received {
    received_kind kind = received_kind::timed_out;
    raw_pdu pdu;
};

/// A command's answer: its completion, and the data that came before it.
struct raw_reply {
    nvme::cqe answer{};
    raw_bytes data;
    std::vector<raw_pdu> pdus;     ///< everything that arrived up to the answer
    bool by_success_flag = false;  ///< the last C2HData stood for the completion

    [[nodiscard]] nvme::status status() const noexcept { return answer.get_status(); }
};

/// One thread. Blocking, with deadlines; every wait has its own.
class raw_session {
  public:
    static constexpr duration patience = std::chrono::seconds(5);

    /// TCP only: nothing is sent.
    static result<raw_session> connect(const endpoint& to, duration within = patience);
    /// TCP and the handshake; what was agreed on is in wire() and ic_response().
    static result<raw_session> open(const endpoint& to, const ic_req_fields& fields = {},
                                    duration within = patience);

    // Bytes.
    result<void> send(std::span<const std::byte> bytes, duration within = patience);
    /// In pieces of `piece` bytes, each a packet of its own as far as TCP lets it be.
    result<void> send_split(std::span<const std::byte> bytes, std::size_t piece);
    received await(duration within = patience);
    /// Awaits until the connection ends; the PDUs before that, or nothing when it stays open.
    std::optional<std::vector<raw_pdu>> await_end(duration within = patience);
    void half_close() noexcept;  ///< no more from us
    void reset() noexcept;       ///< ends with RST
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    // Convenience: what a right host would do.
    [[nodiscard]] const wire_settings& wire() const noexcept { return wire_; }
    void set_wire(const wire_settings& w) noexcept { wire_ = w; }
    [[nodiscard]] const nvme::tcp::ic_resp& ic_response() const noexcept { return ic_resp_; }
    /// Sends the command, with its data in the capsule or by R2T, and collects the answer.
    result<raw_reply> run(nvme::sqe sqe, std::span<const std::byte> in_capsule = {},
                          duration within = patience);
    result<raw_reply> run_write(nvme::sqe sqe, std::span<const std::byte> by_r2t,
                                duration within = patience);
    /// Collects the answer to command `cid`, obeying R2Ts with `by_r2t`; other answers are kept in
    /// `pdus`.
    result<raw_reply> collect(std::uint16_t cid, std::span<const std::byte> by_r2t = {},
                              duration within = patience);
    /// The Connect command.
    result<raw_reply> connect_queue(const connect_parameters& p, std::uint16_t cid = 0);

  private:
    explicit raw_session(unique_fd fd) : fd_(std::move(fd)) {}
    std::optional<received> take_held();
    result<void> obey(const nvme::tcp::r2t& ask, std::span<const std::byte> data);

    unique_fd fd_;
    raw_bytes held_;
    wire_settings wire_;
    nvme::tcp::ic_resp ic_resp_{};
};

}  // namespace fulmar::host
