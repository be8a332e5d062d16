// The owner of a device's image through all its incarnations: decides when it is opened, what it
// takes for the image that was there, and when it gives up. Control reactor. Must never: call what
// may block, or close an image that a reactor has or the cluster still works on.
#pragma once

#include "image.hpp"
#include "image_states.hpp"
#include "image_view.hpp"
#include "lane.hpp"

#include <fulmar/backend/rbd_device.hpp>
#include <fulmar/backend/storage_memory.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/message.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::backend::rbd {

/// Who is told. Called on: control reactor.
class keeper_listener {
  public:
    virtual void on_image_lost(const std::string& reason) noexcept = 0;
    virtual void on_image_ready() noexcept = 0;
    virtual void on_image_resized() noexcept = 0;

  protected:
    ~keeper_listener() = default;
};

/// Called on: control reactor, unless a method says otherwise.
class keeper final : private loss_reporter, private image_watcher {
  public:
    keeper(const rbd_options& options, const rbd_environment& environment,
           keeper_listener& listener);
    keeper(const keeper&) = delete;
    keeper& operator=(const keeper&) = delete;

    /// Nobody has a channel. It closes the image when it can, and deletes itself.
    void leave() noexcept;

    /// Waits until the image is open.  Errors: what is in the way; then it is tried again later.
    result<void> open_now(duration patience);
    /// Begins to open it, and goes on until that succeeds.
    void open_soon() noexcept;
    /// An operator wants it opened anew; or, with `other`, whatever has its name now.
    void reopen(bool other) noexcept;
    /// Looks at the size of the image.
    void look_soon() noexcept;

    [[nodiscard]] image_view& view() noexcept { return view_; }
    [[nodiscard]] bool ready() const noexcept {
        return state_ == image_state::ready && !view_.lost.load(std::memory_order_acquire);
    }
    [[nodiscard]] bool refused() const noexcept { return refused_; }
    [[nodiscard]] bool served() const noexcept { return served_; }
    [[nodiscard]] std::string trouble() const;
    [[nodiscard]] const backend::geometry& geometry() const noexcept { return geometry_; }
    [[nodiscard]] lane* lane_of(const engine::reactor& r) noexcept;

  private:
    ~keeper();
    friend struct std::default_delete<keeper>;

    struct open_job final : engine::helper_job {
        explicit open_job(keeper& k) noexcept : owner(&k) {}
        void work() noexcept override;
        void on_done() noexcept override { owner->on_open_home(); }
        void on_abandoned() noexcept override {}
        keeper* owner;
        std::string former_lock;
        std::optional<result<opened_image>> outcome;
        std::atomic<bool> done{false};
        bool taken = false;  // the outcome has been
    };
    struct close_job final : engine::helper_job {
        explicit close_job(keeper& k) noexcept : owner(&k) {}
        void work() noexcept override;
        void on_done() noexcept override { owner->on_closed(); }
        void on_abandoned() noexcept override {}
        keeper* owner;
    };
    struct look_job final : engine::helper_job {
        explicit look_job(keeper& k) noexcept : owner(&k) {}
        void work() noexcept override { found = of->look(bytes); }
        void on_done() noexcept override { owner->on_looked(); }
        void on_abandoned() noexcept override {}
        keeper* owner;
        image* of = nullptr;
        std::uint64_t bytes = 0;
        image_look found = image_look::unknown;
    };
    /// Carries the image to a reactor, or has it forgotten there, and comes home.
    struct link final : engine::message {
        link(keeper& k, engine::reactor& reactor);
        void send(bool with_image) noexcept;
        static void there(engine::message& m) noexcept;
        static void home_again(engine::message& m) noexcept;
        keeper* owner;
        rbd::lane lane;
        bool up = false;
        bool away = false;
    };

    void report(image_loss why) noexcept override;
    void on_image_changed() noexcept override;
    void on_loss() noexcept;
    void on_reopen() noexcept;
    void advance(image_event on) noexcept;
    void try_open() noexcept;
    void on_open_home() noexcept;
    result<void> take();
    [[nodiscard]] result<void> judge(const image_facts& found) const;
    [[nodiscard]] result<void> recognise(const image_facts& found) const;
    void adopt(const image_facts& found);
    void link_all(bool up) noexcept;
    void on_links_home() noexcept;
    void lose() noexcept;
    void close() noexcept;
    void on_closed() noexcept;
    void on_pulse() noexcept;
    void on_looked() noexcept;
    void take_size(std::uint64_t bytes) noexcept;
    void refuse(const error& why, bool other) noexcept;
    void try_later() noexcept;
    void retry() noexcept;
    [[nodiscard]] bool links_home() const noexcept;
    [[nodiscard]] std::uint64_t usable_blocks(std::uint64_t bytes) const noexcept;
    void check_left() noexcept;

    rbd_options options_;
    rbd_environment environment_;
    keeper_listener* listener_;
    std::string place_;  // "pool/image", for people
    image_view view_;
    backend::geometry geometry_{};
    image_state state_ = image_state::away;
    std::unique_ptr<image> image_;
    std::atomic<image_loss> cause_{image_loss::none};
    std::optional<storage_record> known_;  // what was there
    std::string trouble_ = "it has not been opened";
    bool refused_ = false;  // there is something, and it is not what is wanted
    bool served_ = false;   // since the device exists
    bool accepts_other_ = false;
    bool leaving_ = false;
    bool look_again_ = false;
    duration pause_ = limits::rbd_first_retry;
    std::vector<std::unique_ptr<link>> links_;
    open_job open_{*this};
    close_job close_{*this};
    look_job look_{*this};
    engine::member_message<&keeper::on_loss> loss_{*this};
    engine::member_message<&keeper::on_reopen> reopen_{*this};
    engine::member_message<&keeper::look_soon> changed_{*this};
    engine::member_timer<&keeper::retry> retry_{*this};
    engine::member_timer<&keeper::on_pulse> pulse_{*this};
};

/// "pool/namespace/image@snapshot".  Called on: any thread.
[[nodiscard]] std::string place_of(const rbd_options& options);

}  // namespace fulmar::backend::rbd
