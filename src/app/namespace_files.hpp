// What hosts have made of namespaces, on disk: a small file for each in the state directory, put in
// the place of the former one before the host that changed it is answered. What is not to outlive a
// power loss (reservations with PTPL 0, write protection until the next power cycle) is dropped
// when the machine has been started anew.
#pragma once

#include <fulmar/admin/disk.hpp>
#include <fulmar/core/namespace_memory.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::app {

/// Called on: control reactor.
class namespace_files final : public core::namespace_memory {
  public:
    /// Reads the files whose names begin with `prefix`, and blocks for that: before the reactors
    /// run. `boot_id` is the kernel's, of this start of the machine.
    namespace_files(engine::reactor& control, admin::disk& files, std::string prefix,
                    std::string boot_id);
    /// What is on its way is still written, by a thread that is left alone.
    ~namespace_files();
    namespace_files(const namespace_files&) = delete;
    namespace_files& operator=(const namespace_files&) = delete;

    [[nodiscard]] result<std::optional<core::kept_namespace>> recall(
        const nvme::uuid& of) const override;
    void record(const nvme::uuid& of, const core::kept_namespace& what, waiter* w) override;
    void forget(const nvme::uuid& of) noexcept override;
    void withdraw(waiter& w) noexcept override;

  private:
    struct wish {
        nvme::uuid of;
        std::string path;
        std::string text;  ///< empty: the file goes
        waiter* told = nullptr;
        result<void> outcome{};
    };
    struct writing final : engine::helper_job {
        void work() noexcept override;
        void on_done() noexcept override;
        void on_abandoned() noexcept override;
        namespace_files* owner = nullptr;
        admin::disk* files = nullptr;
        std::vector<wish> wishes;  ///< in order
    };

    void read(const std::string& name, const std::string& path);
    [[nodiscard]] std::string path_of(const nvme::uuid& of) const;
    [[nodiscard]] std::string render(const nvme::uuid& of, const core::kept_namespace& what) const;
    void add(wish what);
    void write_next() noexcept;
    void tell() noexcept;

    engine::reactor& control_;
    admin::disk& files_;
    const std::string prefix_;
    const std::string boot_id_;
    std::map<nvme::uuid, core::kept_namespace> known_;
    std::map<nvme::uuid, error> damaged_;
    std::optional<error> unlisted_;  // then nothing is known of any
    std::vector<wish> wanted_;       // once the job under way is done
    std::unique_ptr<writing> job_;   // one at a time
    std::vector<wish> done_;         // of which somebody is being told
    engine::member_message<&namespace_files::tell> tell_{*this};
    bool ending_ = false;
};

}  // namespace fulmar::app
