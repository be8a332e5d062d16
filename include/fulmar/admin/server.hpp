// The admin server: REST on a UNIX socket, and on loopback TCP when asked for, on one thread of its
// own. It holds nothing of the target: every question and every change goes through the control
// port.
#pragma once

#include <fulmar/admin/config.hpp>
#include <fulmar/admin/drive_port.hpp>
#include <fulmar/admin/journal.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/core/control.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fulmar::admin {

class key_store;

class server {
  public:
    struct setup {
        core::control_port* port = nullptr;  ///< outlives the server
        journal* log = nullptr;              ///< likewise; null: nothing is recorded
        key_store* keys = nullptr;           ///< likewise; null: there are none
        drive_port* drives = nullptr;        ///< likewise; null: there are no drives
        std::string config_path = {};        ///< empty: there is no file to reload
        daemon_options options = {};         ///< as loaded; admin.* says where to listen
        void (*trust_path)(const std::string& path) = nullptr;  ///< for devices; any thread
        std::chrono::milliseconds patience =
            std::chrono::seconds(0);  ///< with the core; 0: transition time-out + 5 s
    };

    /// Binds the sockets and starts the thread. Requests are answered from here on.
    /// Errors: what the sockets and the token file say.
    static result<std::unique_ptr<server>> start(setup parts);

    /// As stop(), with no patience.
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Where it listens: "unix:/run/fulmar/admin.sock", "http://127.0.0.1:8420".
    [[nodiscard]] const std::vector<std::string>& addresses() const noexcept;

    /// Applies what was edited in the config file, and logs what that did (SIGHUP).  Called on: any
    /// thread.
    void reload();

    /// Something that is configured could not be brought up: health tells `why` while it is
    /// missing. Called on: any thread.
    void start_failed(std::string why);

    /// An event of a drive or of a namespace, for GET /v1/events. Sequence numbers rise.  Called
    /// on: one thread.
    void publish(event one);

    /// Runs `answer` on the admin thread; a thread that hangs never does.  Called on: any thread.
    void ping(std::function<void()> answer);

    /// Accepts no more, lets requests under way be answered within `patience`, ends the thread.
    /// The core must still be answering, or have answered everything.  Called on: one thread, not
    /// the admin thread.
    void stop(std::chrono::milliseconds patience);

  private:
    class impl;
    explicit server(std::unique_ptr<impl> parts);
    std::unique_ptr<impl> impl_;
};

}  // namespace fulmar::admin
