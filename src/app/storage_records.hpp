// What the daemon remembers of its devices' storage: a small file in the state directory, written
// anew on a helper thread whenever something has changed. One that cannot be written costs
// knowledge, not service.
#pragma once

#include <fulmar/admin/disk.hpp>
#include <fulmar/backend/storage_memory.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/reactor.hpp>

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace fulmar::app {

/// Called on: control reactor.
class storage_records final : public backend::storage_memory {
  public:
    /// Reads `path`, and blocks for that: before the reactors run. A file that is damaged is set
    /// aside as `path`.damaged.
    storage_records(engine::reactor& control, admin::disk& files, std::string path);
    /// What is not written yet is still written, by a thread that is left alone.
    ~storage_records();
    storage_records(const storage_records&) = delete;
    storage_records& operator=(const storage_records&) = delete;

    [[nodiscard]] std::optional<backend::storage_record> recall(
        const std::string& device, const std::string& path) const override;
    void remember(const std::string& device, const backend::storage_record& what) override;

  private:
    struct writing final : engine::helper_job {
        void work() noexcept override;
        void on_done() noexcept override;
        void on_abandoned() noexcept override;
        storage_records* owner = nullptr;
        admin::disk* files = nullptr;
        std::string path, text;
        result<void> outcome;
    };

    bool read(std::string_view text);
    [[nodiscard]] std::string render() const;
    void write();

    engine::reactor& control_;
    admin::disk& files_;
    std::string path_;
    std::map<std::string, backend::storage_record> known_;  // by device
    std::unique_ptr<writing> job_;                          // one at a time
    bool changed_ = false;                                  // since the job began
    bool told_ = false;                                     // that it cannot be written
};

}  // namespace fulmar::app
