// The target's end of a loopback connection. It keeps the rules that a real transport keeps:
// credits for in-capsule data, a bounded number of commands, back-pressure, deadlines.
#pragma once

#include "common/listener_counters.hpp"
#include "common/request_table.hpp"
#include "common/stall_clock.hpp"
#include "wire.hpp"

#include <fulmar/core/qpair.hpp>
#include <fulmar/mem/member_waiter.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

namespace fulmar::transport {
class loopback_observer;
}

namespace fulmar::transport::loopback {

class loopback_group;

struct loopback_request final : core::request {
    std::uint16_t tag = 0;
    bool in_use = false;
    std::uint32_t received = 0;
    instant data_due{};    // once it has been asked for
    instant answer_due{};  // once the window has not let it go
    bool data_broken = false;
    std::unique_ptr<frame> output;  ///< an answer, or an `ask`
    list_hook free_hook{};
    list_hook output_hook{};
};

/// What a connection is born with.
struct accepted_host {
    std::shared_ptr<wire> way;
    std::shared_ptr<common::listener_counters> counters;
    std::uint32_t window = 1;
    loopback_observer* observer = nullptr;
};

/// Called on: owning reactor, all methods.
class loopback_qpair final : public core::qpair {
  public:
    loopback_qpair(loopback_group& group, accepted_host from);
    ~loopback_qpair() override;

    void open();
    void arrive(std::unique_ptr<frame> f) noexcept;
    /// Takes in what has arrived; true when anything had.
    bool receive() noexcept;
    /// Sends what the window allows; true when anything left.
    bool flush() noexcept;
    bool check_deadlines(instant now) noexcept;
    static void destroy(loopback_qpair& q) noexcept { delete &q; }

    list_hook group_hook{};
    list_hook input_hook{};
    list_hook flush_hook{};

  protected:
    void fetch_data(core::request& r) noexcept override;
    void answer(core::request& r) noexcept override;
    void stop() noexcept override;
    void for_each_request(void (*visit)(core::request&, void*), void* context) noexcept override;
    bool grow(std::uint32_t depth) noexcept override;
    void connected() noexcept override;
    void retire() noexcept override;
    void describe(core::connection_status& into) const override;
    [[nodiscard]] std::string_view listener_name() const noexcept override {
        return from_.counters->name;
    }

  private:
    bool parse_input(frame& f) noexcept;
    bool on_command_frame(frame& f) noexcept;
    void on_data_frame(const frame& f) noexcept;
    void queue_output(loopback_request& r) noexcept;
    void give_back(loopback_request& r) noexcept;
    [[nodiscard]] bool reads_too_slowly(instant now) const noexcept;
    [[nodiscard]] bool owes_overdue_data(instant now) noexcept;
    void on_chunk_granted(mem::buffer_chain&& chain) noexcept;

    loopback_group& loop_;
    accepted_host from_;
    common::request_table<loopback_request> requests_{*this};
    intrusive_list<loopback_request, &loopback_request::output_hook> output_;
    std::deque<std::unique_ptr<frame>> inbox_;
    std::uint32_t window_;
    mem::member_waiter<&loopback_qpair::on_chunk_granted> chunk_wait_{*this};
    mem::buffer_chain spare_;
    bool blocked_ = false;
    bool stopped_ = false;
    bool handshake_counted_ = true;
    std::uint32_t awaiting_data_ = 0;
    instant opened_;
    common::stall_clock data_;
    common::stall_clock answers_;
    instant blocked_since_{};
};

}  // namespace fulmar::transport::loopback
