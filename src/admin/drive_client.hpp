// The admin thread's way to the drives of this machine and back, with a deadline for each question,
// and all events with those who wait for the next one. Called on: admin thread, unless a
// method says otherwise.
#pragma once

#include "event_ring.hpp"

#include <fulmar/admin/drive_port.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace fulmar::admin {

class drive_client {
  public:
    /// `port` may be null: then every question is answered with not_supported.
    drive_client(boost::asio::io_context& io, drive_port* port);
    ~drive_client();
    drive_client(const drive_client&) = delete;
    drive_client& operator=(const drive_client&) = delete;

    // As the port's, and timed_out past limits::drive_patience. Answered on the admin thread.
    void list(drive_port::listed then);
    void find(const std::string& which, drive_port::shown then);
    void plan(const std::string& which, drive_wish wish, drive_port::planned then);
    void bind(const std::string& address, const std::string& driver, drive_port::finished then);
    void locate(const std::string& address, const std::string& indicator,
                drive_port::finished then);

    /// Called on: any thread.
    void publish(event one);

    /// Runs `then` when an event after `sequence` is there, or when `patience` is over.
    /// Errors: limit_reached (limits::max_event_waiters wait).
    using waited = std::function<void(result<event_ring::page>)>;
    void wait(std::uint64_t sequence, std::chrono::milliseconds patience, waited then);
    /// The sequence number of the newest event; 0: there was none.
    [[nodiscard]] std::uint64_t newest() const noexcept;

    /// The server ends: who waits for events is answered now.
    void stop();

  private:
    class impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace fulmar::admin
