#include "helper_thread.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/engine/helper_job.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <exception>
#include <memory>
#include <utility>

namespace fulmar::admin {

class helper_thread::job final : public engine::helper_job {
  public:
    job(helper_thread& owner, std::function<void()> work, std::function<void()> next) noexcept
        : owner_(owner), work_(std::move(work)), next_(std::move(next)) {}

  private:
    void work() noexcept override {
        // Nobody waits for it: whatever a host wants comes first.
        if (has_own_thread())
            static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10));
        attempt(work_);
    }
    void on_done() noexcept override {
        const std::unique_ptr<job> self(this);
        owner_.job_ = nullptr;
        next_();
    }
    void on_abandoned() noexcept override { delete this; }

    helper_thread& owner_;
    std::function<void()> work_;
    std::function<void()> next_;
};

void helper_thread::attempt(const std::function<void()>& work) noexcept {
    try {
        work();
    } catch (const std::exception& failure) {
        log::error("journal: a job on the disk was given up: {}", failure.what());
    }
}

helper_thread::~helper_thread() {
    if (job_ != nullptr) job_->abandon();
}

result<void> helper_thread::run(engine::reactor& home, std::function<void()> work,
                                std::function<void()> next) {
    auto made = std::make_unique<job>(*this, std::move(work), std::move(next));
    FULMAR_CHECK(made->start(home));
    job_ = made.release();
    return {};
}

}  // namespace fulmar::admin
