// The authentication of one queue: what Authentication Send and Receive come to. What takes
// milliseconds runs on a helper thread.
#pragma once

#include <fulmar/base/intrusive.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/mem/buffer_credit.hpp>
#include <fulmar/security/dhchap_transaction.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fulmar::core {

/// Called on: the qpair's reactor, but for work().
class queue_authentication final : private engine::helper_job {
  public:
    explicit queue_authentication(qpair& q) noexcept;
    ~queue_authentication();
    queue_authentication(const queue_authentication&) = delete;
    queue_authentication& operator=(const queue_authentication&) = delete;

    /// The host is awaited from now on.
    void begin() noexcept { arm(); }
    /// A command of it waits for the helper thread: no other may come.
    [[nodiscard]] bool busy() const noexcept { return sender_ != nullptr; }
    /// Authentication Send: answers `r`, now or when the work is done. It is `executing`.
    void send(request& r, std::span<const std::byte> message) noexcept;
    /// Authentication Receive: fills the chain of `r`, which has room for its length, and answers.
    void receive(request& r) noexcept;
    /// Its connection ends. A request that waits for its turn is answered; one that runs comes back
    /// by itself, since it cannot be stopped.
    void connection_ends() noexcept;

    /// Where the data of an unproven queue comes from: one chunk of what newcomers share.
    [[nodiscard]] mem::buffer_credit& credit() noexcept { return credit_; }
    [[nodiscard]] bool was_proven() const noexcept { return transaction_.was_proven(); }
    /// "pending", "host" or "mutual".
    [[nodiscard]] std::string_view describe() const noexcept;

    // For the lane.
    [[nodiscard]] qpair& queue() const noexcept { return queue_; }
    /// False: no thread can be had.
    [[nodiscard]] bool begin_work() noexcept;
    void work_is_over() noexcept;
    /// Its host has proved who it is, and the queue has its place; or there is none.
    void placed(bool has_place) noexcept;
    std::uint64_t turn = 0;
    list_hook lane_hook{};

  private:
    void work() noexcept override;
    void on_done() noexcept override;
    void on_abandoned() noexcept override;

    [[nodiscard]] security::dhchap_demand demand() const;
    void on_late() noexcept;
    void arm() noexcept;
    void finish(request& r, nvme::status status) noexcept;
    void follow(security::dhchap_state before) noexcept;
    void tell_failure() noexcept;
    void become_proven() noexcept;
    void release_credit() noexcept;
    void conclude(bool has_place) noexcept;
    void begin_again(bool has_place) noexcept;

    qpair& queue_;
    security::dhchap_transaction transaction_;
    security::dhchap_work wanted_ = security::dhchap_work::none;
    request* sender_ = nullptr;
    mem::buffer_credit credit_;
    engine::member_timer<&queue_authentication::on_late> deadline_{*this};
};

}  // namespace fulmar::core
