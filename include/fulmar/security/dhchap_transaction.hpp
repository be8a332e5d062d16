// The controller's side of DH-HMAC-CHAP on one queue: what each message of the host leads to.
#pragma once

#include <fulmar/nvme/auth.hpp>
#include <fulmar/security/dhchap.hpp>
#include <fulmar/security/dhchap_states.hpp>
#include <fulmar/security/key_exchange.hpp>
#include <fulmar/security/secret.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fulmar::security {

class key_source;

/// What the host of a queue has to do, as the configuration says when it begins.
struct dhchap_demand {
    dhchap_policy policy{};
    std::string host_nqn{};
    std::string subsystem_nqn{};
    std::string host_key{};        ///< the name of it
    std::string controller_key{};  ///< empty: hosts may not ask who we are
};

/// What is to be done after a message.
enum class dhchap_work : std::uint8_t {
    none,
    prepare,  ///< run prepare(), then done()
    check,    ///< run check(), then done()
};

/// One of the keys of a name: the first is the present one.
struct accepted_key {
    secret bytes;  ///< transformed
    std::chrono::system_clock::time_point until{};
};

/// Which of our keys a host knows that has proved itself with its key `which`: those that were
/// exchanged together end together. The present one, where no former one ends within
/// limits::keys_exchanged_together of that, or the host has its present one.
/// Called on: any thread. Pure.
[[nodiscard]] std::size_t partner_of(std::span<const accepted_key> host, std::size_t which,
                                     std::span<const accepted_key> controller) noexcept;

/// One thread at a time. While prepare() or check() runs, on whatever thread, nothing else may.
class dhchap_transaction {
  public:
    [[nodiscard]] dhchap_state state() const noexcept { return state_; }
    /// Once proven, its queue stays so while it is asked again.
    [[nodiscard]] bool was_proven() const noexcept { return was_proven_; }
    /// The host has asked who we are, and believed it.
    [[nodiscard]] bool is_mutual() const noexcept { return was_mutual_; }

    /// A whole message has come by Authentication Send. In `preparing` and `checking` none may.
    /// `demand` is read by Negotiate alone.
    [[nodiscard]] dhchap_work on_message(std::span<const std::byte> message,
                                         const dhchap_demand& demand);
    /// Milliseconds of a core. Of one that was told `none` by on_message() never.
    void prepare(const key_source& keys) noexcept;
    void check(const key_source& keys) noexcept;
    /// The work is done: takes what came of it. False: it could not be done, by no fault of the
    /// host, which may begin again; a queue that was proven stays so.
    bool done() noexcept;
    /// done() is going to prove a queue that was not proven before.
    [[nodiscard]] bool will_prove() const noexcept {
        return state_ == dhchap_state::checking && work_ == work_result::right && !was_proven_;
    }
    /// Instead of done(): what it is for cannot be had.
    void give_up() noexcept;

    /// What Authentication Receive answers with. Where nothing is ready, that is a mistake of the
    /// host, of which a Failure1 tells. Valid until the next call.
    [[nodiscard]] std::span<const std::byte> read() noexcept;
    /// How long that is.
    [[nodiscard]] std::size_t ready_bytes() const noexcept { return message_bytes_; }
    /// The host has been silent for too long.
    void expire() noexcept;
    /// Why it was refused; nothing when it was not.
    [[nodiscard]] std::optional<nvme::auth_failure> failure() const noexcept { return failure_; }
    /// The host has refused us.
    [[nodiscard]] bool host_refused() const noexcept { return host_refused_; }

  private:
    void advance(dhchap_event on) noexcept;
    dhchap_work refuse(nvme::auth_failure why) noexcept;
    dhchap_work on_negotiate(std::span<const std::byte> message, const dhchap_demand& demand);
    dhchap_work on_reply(std::span<const std::byte> message) noexcept;
    void make_challenge();
    void make_success1();
    void put_failure() noexcept;
    [[nodiscard]] result<void> find_keys(const key_source& keys);
    [[nodiscard]] result<bool> is_right(const secret& key, std::span<const std::byte> shared) const;
    [[nodiscard]] result<void> answer_host(std::span<const std::byte> shared, std::size_t which);
    [[nodiscard]] result<void> try_prepare(const key_source& keys);
    [[nodiscard]] result<void> try_check(const key_source& keys);
    void forget_secrets() noexcept;

    enum class work_result : std::uint8_t { unable, right, wrong };
    void judge(const error& why, nvme::auth_failure of_argument) noexcept;

    dhchap_state state_ = dhchap_state::required;
    bool was_proven_ = false;
    bool was_mutual_ = false;
    bool host_refused_ = false;
    nvme::dhchap_hash hash_{};
    nvme::dhchap_group group_{};
    std::uint16_t t_id_ = 0;
    std::uint32_t seqnum_ = 0;
    std::optional<nvme::auth_failure> failure_;
    work_result work_ = work_result::unable;  // until it says otherwise: it may never run
    nvme::auth_failure verdict_{};            // where it is wrong
    dhchap_demand demand_;
    std::optional<key_exchange> exchange_;
    std::vector<accepted_key> host_keys_;  // any of them will do
    std::vector<accepted_key> controller_keys_;
    std::array<std::byte, nvme::dhchap_hash_bytes_max> challenge_{};
    // The reply, then what is to be read: never both.
    std::array<std::byte, nvme::auth_reply_bytes_max> message_{};
    std::size_t message_bytes_ = 0;
};

}  // namespace fulmar::security
