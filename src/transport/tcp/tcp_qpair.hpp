// One NVMe/TCP connection: bytes in, requests to core, answers out. tcp_receive.cpp has the way in,
// tcp_send.cpp the way out.
#pragma once

#include "byte_stream.hpp"
#include "common/listener_counters.hpp"
#include "common/request_table.hpp"
#include "common/stall_clock.hpp"
#include "pdu_reader.hpp"
#include "tcp_request.hpp"

#include <fulmar/core/qpair.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/mem/member_waiter.hpp>
#include <fulmar/nvme/crc32c.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace fulmar::transport::tcp {

class tcp_group;

/// Where a connection comes from.
struct connection_origin {
    std::unique_ptr<byte_stream> stream;
    std::string peer;
    std::string local;
    std::shared_ptr<common::listener_counters> counters;
    std::shared_ptr<core::connection_ticket> ticket;
};

/// Called on: owning reactor, all methods.
class tcp_qpair final : public core::qpair {
  public:
    tcp_qpair(tcp_group& group, connection_origin origin);
    ~tcp_qpair() override;

    /// Waits for the first bytes.  Errors: no_memory.
    fulmar::result<void> begin();

    /// One receive call and whatever it brought; true when anything came.
    bool receive() noexcept;
    /// One send call with everything that is due; true when anything left.
    bool flush() noexcept;
    /// Deadlines of this connection: ends it when one has passed. True while there is something to
    /// look after.
    bool check_deadlines(instant now) noexcept;

    /// Its last act: the listener counts it out.
    static void destroy(tcp_qpair& q) noexcept;
    /// Bytes may be waiting that no readiness event will announce.
    [[nodiscard]] bool wants_receive() const noexcept {
        return may_have_more_ && !stopped_ && !blocked_ && !closes_after_control_;
    }
    [[nodiscard]] instant last_received() const noexcept { return last_received_; }

    list_hook group_hook{};    ///< all connections of the group
    list_hook active_hook{};   ///< receive is tried every turn
    list_hook flush_hook{};    ///< output is due
    std::uint32_t misses = 0;  ///< receives in a row that brought nothing

  protected:
    void fetch_data(core::request& r) noexcept override;
    void answer(core::request& r) noexcept override;
    void stop() noexcept override;
    void for_each_request(void (*visit)(core::request&, void*), void* context) noexcept override;
    bool grow(std::uint32_t depth) noexcept override;
    void connected() noexcept override;
    void retire() noexcept override;
    void describe(core::connection_status& into) const override;
    [[nodiscard]] const core::secure_channel* channel() const noexcept override {
        return channel_.get();
    }
    [[nodiscard]] std::string_view listener_name() const noexcept override {
        return origin_.counters->name;
    }

  private:
    // tcp_receive.cpp
    void parse_input(std::span<const std::byte> bytes) noexcept;
    std::size_t parse(std::span<const std::byte> bytes) noexcept;
    std::size_t take_data(std::span<const std::byte> bytes) noexcept;
    void data_placed(std::span<const std::byte> bytes) noexcept;
    void data_pdu_complete() noexcept;
    bool handle(const read_pdu& pdu) noexcept;
    void on_ic_req(std::span<const std::byte> header) noexcept;
    bool on_capsule(const read_pdu& pdu) noexcept;
    void on_h2c_data(const read_pdu& pdu) noexcept;
    void interpret_sgl(tcp_request& r, std::size_t in_capsule_bytes) noexcept;
    void keep(std::span<const std::byte> rest) noexcept;
    void resume_parsing() noexcept;
    void renew_in_capsule_wait() noexcept;
    void on_ready(std::uint32_t events) noexcept;
    void on_chunk_granted(mem::buffer_chain&& chain) noexcept;
    [[nodiscard]] bool take_channel() noexcept;
    void check_wear() noexcept;
    void stream_is_broken() noexcept;
    void fatal(nvme::tcp::fatal_error error, std::uint32_t information,
               std::span<const std::byte> header) noexcept;

    // tcp_send.cpp
    void prepare_answer(tcp_request& r) noexcept;
    void prepare_r2t(tcp_request& r) noexcept;
    void queue_output(tcp_request& r) noexcept;
    template <typename Visit>
    bool visit_pieces(tcp_request& r, Visit&& visit) noexcept;
    std::size_t gather(std::span<iovec> vectors, std::size_t& bytes) noexcept;
    void consume(std::size_t sent) noexcept;
    void output_sent(tcp_request& r) noexcept;
    void keep_unsent() noexcept;
    static void keep_data(tcp_request& r) noexcept;
    void await_data(tcp_request& r) noexcept;
    [[nodiscard]] bool owes_overdue_data(instant now) noexcept;
    [[nodiscard]] bool reads_too_slowly(instant now) const noexcept;
    [[nodiscard]] bool has_output() const noexcept {
        return control_bytes_ != 0 || !output_.empty();
    }
    void request_flush() noexcept;

    /// close() of a connection whose peer hears nothing any more.
    void hang_up(core::close_reason why) noexcept;
    void give_back(tcp_request& r) noexcept;

    tcp_group& tcp_;
    connection_origin origin_;
    const bool may_encrypt_;
    bool wears_out_ = false;                               // it has been told
    std::unique_ptr<const core::secure_channel> channel_;  // its own: others look at it
    engine::member_watch<&tcp_qpair::on_ready> watch_{*this};

    common::request_table<tcp_request> requests_{*this};

    // In.
    reader_rules rules_;
    std::unique_ptr<std::byte[]> kept_;  // bytes of a PDU that has not arrived whole
    std::size_t kept_capacity_ = 0;
    std::size_t kept_bytes_ = 0;
    std::size_t wanted_ = 0;               // bytes before parsing makes sense again
    tcp_request* data_request_ = nullptr;  // the H2CData that is arriving
    std::uint32_t data_left_ = 0;
    bool data_last_ = false;
    bool digest_due_ = false;
    nvme::crc32c data_crc_;
    mem::member_waiter<&tcp_qpair::on_chunk_granted> chunk_wait_{*this};
    mem::buffer_chain spare_;  // for the in-capsule data that comes next
    bool blocked_ = false;     // waits for `spare_`
    bool may_have_more_ = false;
    instant last_received_{};
    common::stall_clock data_;  // what it was asked for
    instant blocked_since_{};

    // Out.
    static constexpr std::size_t control_room = sizeof(nvme::tcp::ic_resp) +
                                                sizeof(nvme::tcp::term_req) +
                                                nvme::tcp::term_req_data_bytes_max;
    std::uint8_t host_pda_ = 0;
    std::uint32_t max_r2t_ = 1;
    intrusive_list<tcp_request, &tcp_request::output_hook> output_;
    std::size_t output_offset_ = 0;  // bytes of the first item that have left
    std::array<std::byte, control_room>
        control_;  // ICResp or a terminate request, ahead of everything else
    std::size_t control_bytes_ = 0;
    std::size_t control_offset_ = 0;
    bool closes_after_control_ = false;
    common::stall_clock answers_;

    instant opened_{};
    std::uint32_t awaiting_data_ = 0;  // requests that wait for the host's data
    std::uint32_t data_owed_ = 0;      // of those, whose first R2T has left
    bool handshake_counted_ = true;
    bool peer_listens_ = true;
    bool stopped_ = false;
};

}  // namespace fulmar::transport::tcp
