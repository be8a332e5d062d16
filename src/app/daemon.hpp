// The composition root: what a running fulmard consists of, in the order in which it is built (and
// taken down backwards).
#pragma once

#include "idle_memory.hpp"
#include "namespace_events.hpp"
#include "namespace_files.hpp"
#include "options.hpp"
#include "signals.hpp"
#include "storage_records.hpp"
#include "watchdog.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/admin/journal.hpp>
#include <fulmar/admin/key_store.hpp>
#include <fulmar/admin/server.hpp>
#include <fulmar/backend/storage_watch.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/drives/drive_manager.hpp>
#include <fulmar/engine/file_io.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/engine/reactor_pool.hpp>
#include <fulmar/mem/environment.hpp>

#include <memory>

namespace fulmar::app {

/// Called on: main thread, which becomes the control reactor.
class daemon {
  public:
    /// Builds everything up to the point where reactors may run.  Errors: whatever a part reports.
    static result<std::unique_ptr<daemon>> create(const command_line& wanted,
                                                  admin::loaded_config config);
    ~daemon();
    daemon(const daemon&) = delete;
    daemon& operator=(const daemon&) = delete;

    /// Serves until TERM or INT; returns the exit code.
    int run();

  private:
    daemon(const command_line& wanted, admin::loaded_config config)
        : config_(std::move(config)),
          config_path_(wanted.config_path),
          create_missing_(wanted.create_missing) {}
    result<void> build();
    result<void> open_state();
    void wind_up();
    void on_signal(int number);
    void stop();

    admin::loaded_config config_;
    std::string config_path_;
    bool create_missing_;
    monotonic_clock clock_;
    mem::environment* memory_ = nullptr;  // the process's; EAL comes up once
    std::unique_ptr<engine::reactor> control_;
    std::unique_ptr<engine::reactor_pool> pool_;
    std::unique_ptr<engine::file_io_provider> files_;
    std::unique_ptr<storage_records> storage_records_;
    std::unique_ptr<namespace_files> namespace_files_;
    std::unique_ptr<admin::key_store> keys_;
    std::unique_ptr<backend::storage_watch> storage_watch_;
    std::unique_ptr<drives::drive_manager> drives_;
    std::unique_ptr<namespace_events> namespace_events_;
    std::unique_ptr<admin::journal> journal_;
    std::unique_ptr<core::target> target_;
    std::unique_ptr<admin::server> server_;
    std::unique_ptr<signals> signals_;
    std::unique_ptr<watchdog> watchdog_;
    std::unique_ptr<idle_memory> idle_memory_;
    bool stopping_ = false;
};

}  // namespace fulmar::app
