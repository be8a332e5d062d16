// One reactor's part of a device: its connections, and what is outstanding there, also for
// reactors that have none. Owning reactor only. Must never allocate per operation.
#pragma once

#include "connection.hpp"
#include "export_view.hpp"
#include "job.hpp"

#include <fulmar/base/intrusive.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fulmar::backend::nbd {

using connection_list = std::vector<std::unique_ptr<connection>>;

/// Lives as long as the owner of the connections. Called on: its reactor, unless a method says
/// otherwise.
class place {
  public:
    static constexpr duration sweep_interval = std::chrono::milliseconds(100);
    static constexpr std::size_t scratch_bytes = 128 * 1024;
    /// One that is answered so late is not waited for, though others are answered.
    static constexpr int longest_wait = 6;  // of export_view::command_limit

    /// Called on: control reactor.
    place(engine::reactor& reactor, export_view& view);
    ~place();
    place(const place&) = delete;
    place& operator=(const place&) = delete;

    [[nodiscard]] engine::reactor& reactor() const noexcept { return reactor_; }  ///< any thread
    [[nodiscard]] const export_view& view() const noexcept { return view_; }      ///< any thread

    /// `home` carries out what comes here: this one, when it has connections.
    void bind(connection_list connections, place* home, std::uint32_t session) noexcept;
    /// Connections are closed, then what was outstanding is answered.
    void unbind() noexcept;
    /// False while a message of its own is under way.
    [[nodiscard]] bool at_rest() const noexcept { return !later_.queued(); }

    /// Null: there is no connection.
    [[nodiscard]] place* home() const noexcept { return home_; }
    [[nodiscard]] std::uint32_t session() const noexcept { return session_; }

    /// Answers inside the call only what has been overtaken by a loss.
    void run(job& j) noexcept;
    /// Ends it now when it is at no server and waits for nothing but its turn.
    [[nodiscard]] bool cancel(job& j) noexcept;

    // From its connections.
    void request_ended(job& j) noexcept;
    void connection_died() noexcept;
    [[nodiscard]] std::uint64_t answers() const noexcept { return answers_; }
    /// Answers operations whose requests have ended. Not from inside of libnbd.
    void answer_ended() noexcept;

  private:
    using time_list = intrusive_list<job, &job::time_hook>;
    using queue_list = intrusive_list<job, &job::queue_hook>;

    void begin(job& j) noexcept;
    void transfer(job& j) noexcept;
    void write_zeroes(job& j) noexcept;
    void deallocate(job& j) noexcept;
    void flush(job& j) noexcept;
    void want_scratch(job& j) noexcept;
    void scan(job& j) noexcept;
    void scanned(job& j) noexcept;
    void write_piece(job& j) noexcept;
    void next_piece(job& j) noexcept;
    [[nodiscard]] bool make_requests(job& j, job_stage stage) noexcept;
    void requests_made(job& j) noexcept;
    [[nodiscard]] bool durable_request(const job& j) const noexcept;
    [[nodiscard]] bool in_whole_blocks(const io_op& op) const noexcept;

    void put_off() noexcept;
    void catch_up() noexcept;
    void go_on(job& j) noexcept;
    void moved(job& j) noexcept;
    void fail(job& j) noexcept;
    void finish(job& j, nvme::status status) noexcept;
    void close_all(bool orderly) noexcept;
    void sweep() noexcept;

    engine::reactor& reactor_;
    export_view& view_;
    connection_list connections_;
    std::size_t next_connection_ = 0;
    place* home_ = nullptr;
    std::uint32_t session_ = 0;
    bool dying_ = false;  // a connection ended
    std::uint64_t answers_ = 0;
    instant last_answer_{};
    time_list at_server_;
    queue_list ended_;  // whose requests have
    queue_list
        scratch_queue_;  // whose turn it will be; the user of the scratch memory is not in it
    job* scratch_user_ = nullptr;
    std::unique_ptr<std::byte[]> scratch_;
    engine::member_message<&place::catch_up> later_{*this};
    engine::member_timer<&place::sweep> sweep_{*this};
};

}  // namespace fulmar::backend::nbd
