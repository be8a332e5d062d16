// One NVMe/TCP connection, which is one queue of a controller: handshake, capsules, data both ways.
// Everything it needs is allocated when it opens.
#pragma once

#include <fulmar/base/unique_fd.hpp>
#include <fulmar/host/endpoint.hpp>
#include <fulmar/host/pdu_parser.hpp>
#include <fulmar/host/queue.hpp>
#include <fulmar/host/receive_buffer.hpp>
#include <fulmar/host/send_queue.hpp>
#include <fulmar/host/sq_head.hpp>
#include <fulmar/host/tls_link.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fulmar::host {

struct connection_options {
    std::uint32_t depth = 31;    ///< commands outstanding at most; the SQ has one entry more
    bool flow_control = true;    ///< as the Connect command will say
    bool header_digest = false;  ///< asked for; granted or not is in handshake()
    bool data_digest = false;
    std::uint8_t hpda = 0;                  ///< alignment of the data that we receive
    std::uint32_t max_r2t = 16;             ///< R2Ts outstanding per command, at least 1
    std::uint32_t in_capsule_bytes = 8192;  ///< what an admin queue takes; others: set later
    std::shared_ptr<receive_buffer> receive =
        {};  ///< shared by the queues of a thread; null: its own
    std::shared_ptr<const security::tls_psk> tls = {};  ///< null: plain
};

/// What the ICReq and ICResp settled.
struct handshake {
    bool header_digest = false;
    bool data_digest = false;
    std::uint8_t cpda = 0;
    std::uint32_t max_h2c_data_bytes = 0;
};

/// Told of every PDU that passes, for tests and traces. Must not use the connection.
class pdu_witness {
  public:
    virtual void sent(std::span<const std::byte> header) noexcept = 0;
    virtual void received(std::span<const std::byte> header) noexcept = 0;

  protected:
    ~pdu_witness() = default;
};

class connection final : public queue {
  public:
    static constexpr std::uint32_t depth_max = 4095;

    /// Connects and shakes hands; blocks until `until`. The Connect command is the caller's.
    /// Errors: those of connect_tcp(); io_error when the peer ends it or does not speak NVMe/TCP.
    static result<std::unique_ptr<connection>> create(const endpoint& to,
                                                      const connection_options& options,
                                                      const deadline& until);
    ~connection() override;
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    submit_result submit(request& r) noexcept override;
    bool poll() noexcept override;
    void wait(const deadline& until) noexcept override;
    void close() noexcept override;
    [[nodiscard]] bool is_open() const noexcept override { return static_cast<bool>(fd_); }
    [[nodiscard]] std::uint32_t room() const noexcept override;
    [[nodiscard]] std::uint32_t outstanding() const noexcept override { return outstanding_; }
    [[nodiscard]] const error& why_closed() const noexcept override { return why_closed_; }
    [[nodiscard]] const protocol_checker& checker() const noexcept override { return checker_; }
    [[nodiscard]] std::uint64_t now_ns() const noexcept override { return now_ns_; }
    void set_in_capsule_bytes(std::uint32_t bytes) noexcept override { in_capsule_bytes_ = bytes; }

    [[nodiscard]] const handshake& agreed() const noexcept { return agreed_; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    /// Null: it is plain.
    [[nodiscard]] tls_link* tls() noexcept { return tls_.get(); }
    void set_witness(pdu_witness* w) noexcept { witness_ = w; }

  private:
    friend class pdu_parser;

    /// The life of one command id.
    struct slot {
        request* owner = nullptr;
        std::uint16_t cid = 0;   // kept when the command is over: who answers it again is seen
        std::uint16_t r2ts = 0;  // outstanding
        bool in_capsule = false;
        bool answered_early = false;  // before its data was sent: `done` waits for the sending
        std::uint32_t granted = 0;    // bytes that R2Ts have asked for
        std::uint32_t received = 0;
        std::uint64_t data_until = 0;  // its data is sent when the send queue has sent this much
    };
    /// An R2T that is being obeyed.
    struct grant {
        std::uint16_t slot = 0;
        std::uint16_t ttag = 0;
        std::uint32_t offset = 0;
        std::uint32_t left = 0;
    };

    connection(unique_fd fd, std::unique_ptr<tls_link> tls, const connection_options& options,
               const handshake& agreed);

    // The parser's sink.
    bool on_pdu(nvme::tcp::pdu_type type, std::span<const std::byte> header,
                std::uint32_t data_bytes) noexcept;
    void on_data(std::span<const std::byte> piece) noexcept;
    bool on_data_end(bool digest_right) noexcept;

    bool on_response(const nvme::tcp::capsule_resp& pdu) noexcept;
    bool on_c2h_data(const nvme::tcp::c2h_data& pdu, std::uint32_t data_bytes) noexcept;
    bool on_r2t(const nvme::tcp::r2t& pdu) noexcept;
    void on_term_request(std::span<const std::byte> pdu) noexcept;

    slot* find(std::uint16_t cid) noexcept;
    void answer(slot& s, const nvme::cqe& with) noexcept;
    void finish(slot& s) noexcept;
    void finish_early_ones() noexcept;
    [[nodiscard]] bool still_sending(const slot& s) const noexcept;
    void put_capsule(slot& s) noexcept;
    void put_data(grant& g, std::uint32_t bytes) noexcept;
    void obey_r2ts() noexcept;
    void put_digest(std::span<const std::byte> over) noexcept;
    bool receive() noexcept;
    [[nodiscard]] ssize_t receive_into(std::span<iovec> to) noexcept;
    bool parse(std::span<const std::byte> bytes) noexcept;
    void end(error why) noexcept;
    bool violate(nvme::tcp::fatal_error fes, std::uint32_t fei, const char* what) noexcept;

    unique_fd fd_;
    std::unique_ptr<tls_link> tls_;
    handshake agreed_;
    std::uint32_t max_r2t_;
    std::uint32_t in_capsule_bytes_;
    sq_head sq_head_;
    nvme::tcp::common_header plain_capsule_{};
    pdu_witness* witness_ = nullptr;

    pdu_parser parser_;
    std::shared_ptr<receive_buffer> receive_;
    std::array<std::byte, pdu_parser::leftover_max> kept_{};  // the start of a header
    std::size_t kept_bytes_ = 0;
    slot* data_slot_ = nullptr;     // whose data is arriving
    std::byte* data_to_ = nullptr;  // where it goes; null: nowhere
    std::uint8_t data_flags_ = 0;

    send_queue send_;
    std::vector<slot> slots_;
    std::vector<std::uint16_t> free_;  // a stack
    std::vector<grant> grants_;        // a ring: R2Ts in the order of arrival
    std::size_t grants_first_ = 0;
    std::size_t grants_count_ = 0;
    std::uint32_t outstanding_ = 0;
    std::uint16_t sq_tail_ = 0;
    std::uint32_t early_ = 0;  // slots with answered_early
    bool in_turn_ = false;
    std::uint16_t index_mask_;
    std::uint64_t now_ns_ = 0;
    protocol_checker checker_;
    error why_closed_{errc::bad_state, {}, {}, {}};
};

}  // namespace fulmar::host
