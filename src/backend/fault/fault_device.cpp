// Each operation gets a node, which is in one place: ready to be answered, held, or lost. Channels
// look at what the control reactor told once a turn, and every few milliseconds while something is
// held; so nothing is in a mailbox when one dies.
#include "block_size.hpp"
#include "fault_plan.hpp"

#include <fulmar/backend/fault_device.hpp>
#include <fulmar/backend/ram_device.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/reactor.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <string>
#include <string_view>

namespace fulmar::backend {

namespace sc = nvme::sc;

namespace {

/// What the control reactor told, for channels to notice.
struct fault_orders {
    std::atomic<std::uint32_t> number{0};  // counts orders
    std::atomic<std::uint32_t> releases{0};
    std::atomic<std::uint32_t> resets{0};
    std::atomic<std::uint32_t> vanished_answered{0};
    std::atomic<std::uint16_t> reset_status{0};
    std::atomic<bool> lost{false};
    std::atomic<std::uint64_t> submitted{0}, answered{0}, held{0};
};

/// Follows a file to which a test appends commands.
class fault_script final {
  public:
    fault_script(fault_device& whom, engine::reactor& control, std::string path)
        : device_(whom), reactor_(control), path_(std::move(path)) {
        arm();
    }
    ~fault_script() { reactor_.timers().cancel(timer_); }
    fault_script(const fault_script&) = delete;
    fault_script& operator=(const fault_script&) = delete;

  private:
    void arm() noexcept {
        reactor_.timers().arm(timer_, reactor_.now() + std::chrono::milliseconds(10));
    }
    void look() noexcept {
        const unique_fd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
        std::array<char, 512> text{};  // a line is shorter
        while (file) {
            const ssize_t got = ::pread(file.get(), text.data(), text.size(), read_);
            const std::string_view some(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
            const std::size_t end = some.find('\n');
            if (end == std::string_view::npos) break;  // not written to its end yet
            read_ += static_cast<off_t>(end + 1);
            if (const auto done = device_.command(std::string(some.substr(0, end))); !done)
                log::error("{}: {}", path_, done.error().text());
        }
        arm();
    }
    fault_device& device_;
    engine::reactor& reactor_;
    std::string path_;
    engine::member_timer<&fault_script::look> timer_{*this};
    off_t read_ = 0;
};

class controlled_device final : public fault_device {
  public:
    controlled_device(std::unique_ptr<device> store, const fault_options& options,
                      engine::reactor* control)
        : store_(std::move(store)), vwc_(options.volatile_write_cache) {
        identity_.model = "Fulmar fault";
        if (control != nullptr && !options.script.empty())
            script_ = std::make_unique<fault_script>(*this, *control, options.script);
    }
    const char* type() const noexcept override { return "fault"; }
    backend::geometry geometry() const noexcept override {
        backend::geometry g = store_->geometry();
        g.volatile_write_cache = vwc_;
        return g;
    }
    const device_identity& identity() const noexcept override { return identity_; }
    device_state state() const noexcept override {
        return orders.lost ? device_state::lost : device_state::ready;
    }
    result<std::unique_ptr<io_channel>> open_channel(engine::reactor& r) override;
    result<void> resize(std::uint64_t new_block_count, shrinking smaller) override {
        const std::uint64_t before = store_->geometry().block_count;
        FULMAR_CHECK(store_->resize(new_block_count, smaller));
        if (listener_ != nullptr && before != store_->geometry().block_count)
            listener_->on_device_resized(*this);
        return {};
    }
    result<void> reopen() override {
        come_back();
        return {};
    }
    void set_listener(device_listener* listener) noexcept override { listener_ = listener; }

    void add(const fault_rule& rule) override { plan.add(rule); }
    void clear() override { plan.clear(); }
    void randomise(std::uint64_t seed, const fault_odds& odds) override {
        plan.randomise(seed, odds);
    }
    void release() override { order(orders.releases); }
    void reset(nvme::status status) override {
        orders.reset_status = status.pack();
        order(orders.resets);
    }
    void vanish(held_fate fate, const std::string& reason) override {
        if (orders.lost.exchange(true)) return;
        if (fate == held_fate::answered) order(orders.vanished_answered);
        if (listener_ != nullptr) listener_->on_device_lost(*this, reason);
    }
    void come_back() override { orders.lost = false; }

    std::uint64_t submitted() const noexcept override { return orders.submitted; }
    std::uint64_t answered() const noexcept override { return orders.answered; }
    std::uint64_t held() const noexcept override { return orders.held; }

    fault_plan plan;
    fault_orders orders;

  private:
    void order(std::atomic<std::uint32_t>& which) noexcept {
        ++which;
        ++orders.number;
    }
    std::unique_ptr<device> store_;
    bool vwc_;
    device_identity identity_;
    device_listener* listener_ = nullptr;
    std::unique_ptr<fault_script> script_;
};

class fault_channel final : public io_channel, private engine::poller {
  public:
    fault_channel(controlled_device& owner, engine::reactor& r, std::unique_ptr<io_channel> store)
        : device_(owner), orders_(owner.orders), reactor_(r), store_(std::move(store)) {
        seen_ = orders_.number;
        releases_ = orders_.releases;
        resets_ = orders_.resets;
        vanished_ = orders_.vanished_answered;
        reactor_.add(*this, engine::stage::reap);
    }
    ~fault_channel() override {
        FULMAR_ASSERT(outstanding() == 0);
        reactor_.timers().cancel(look_);
        reactor_.remove(*this, engine::stage::reap);
        if (destroyed_ != nullptr) *destroyed_ = true;
    }
    fault_channel(const fault_channel&) = delete;
    fault_channel& operator=(const fault_channel&) = delete;

    std::uint32_t outstanding() const noexcept override {
        return static_cast<std::uint32_t>(ready_.size() + held_.size() + lost_.size());
    }

    void submit(io_op& op) noexcept override {
        ++orders_.submitted;
        fault_plan::decision d = device_.plan.decide(op);
        if (orders_.lost) d = {.action = fault_action::fail, .status = sc::internal_error};
        if (d.at_once && d.action != fault_action::delay && d.action != fault_action::lose) {
            const nvme::status status = d.action == fault_action::fail ? d.status : perform(op);
            ++orders_.answered;
            return op.done(op, status);
        }
        node_list& place = d.action == fault_action::lose ? lost_
                           : d.action == fault_action::stall || d.action == fault_action::delay
                               ? held_
                               : ready_;
        node& n = place.emplace_back(*this, op);
        n.answer = d.action == fault_action::fail ? std::optional(d.status) : std::nullopt;
        if (&place == &ready_) return;
        ++orders_.held;
        if (d.action == fault_action::delay) reactor_.timers().arm(n.due, reactor_.now() + d.delay);
        look_again();
    }

    void abort(io_op& op) noexcept override {
        for (auto at = held_.begin(); at != held_.end(); ++at)
            if (at->op == &op) return make_ready(held_, at, sc::aborted_by_request);
    }

  private:
    struct node {
        node(fault_channel& c, io_op& o) noexcept : channel(c), op(&o) {}
        ~node() { channel.reactor_.timers().cancel(due); }
        node(const node&) = delete;
        node& operator=(const node&) = delete;
        void expire() noexcept {
            auto at = std::find_if(channel.held_.begin(), channel.held_.end(),
                                   [this](const node& n) { return &n == this; });
            channel.make_ready(channel.held_, at, std::nullopt);
        }
        fault_channel& channel;
        io_op* op;
        std::optional<nvme::status> answer;  // nothing: do it, and answer what comes of it
        engine::member_timer<&node::expire> due{*this};
    };
    using node_list = std::list<node>;

    void look_again() noexcept {
        if (held_.empty() && lost_.empty()) return;
        reactor_.timers().arm(look_, reactor_.now() + std::chrono::milliseconds(5));
    }

    void make_ready(node_list& from, node_list::iterator which,
                    std::optional<nvme::status> answer) noexcept {
        if (answer) which->answer = answer;
        reactor_.timers().cancel(which->due);
        --orders_.held;
        ready_.splice(ready_.end(), from, which);
    }
    void make_all_ready(node_list& from, std::optional<nvme::status> answer) noexcept {
        while (!from.empty()) make_ready(from, from.begin(), answer);
    }

    void obey() noexcept {
        const std::uint32_t now = orders_.number;
        if (now == seen_) return;
        seen_ = now;
        if (const std::uint32_t n = orders_.resets; n != resets_) {
            resets_ = n;
            const nvme::status status = nvme::status::unpack(orders_.reset_status);
            for (node& waiting : ready_) waiting.answer = status;
            make_all_ready(held_, status);
            make_all_ready(lost_, status);
        }
        if (const std::uint32_t n = orders_.vanished_answered; n != vanished_) {
            vanished_ = n;
            for (node& waiting : ready_) waiting.answer = sc::internal_error;
            make_all_ready(held_, sc::internal_error);
            make_all_ready(lost_, sc::internal_error);
        }
        if (const std::uint32_t n = orders_.releases; n != releases_) {
            releases_ = n;
            make_all_ready(held_, std::nullopt);
        }
    }

    bool poll() noexcept override {
        obey();
        bool gone = false;
        destroyed_ = &gone;
        const std::size_t budget =
            ready_.size();  // what comes meanwhile is answered in the next turn
        for (std::size_t i = 0; i < budget; ++i) {
            auto which =
                std::next(ready_.begin(),
                          static_cast<std::ptrdiff_t>(device_.plan.next_answer(ready_.size())));
            io_op& op = *which->op;
            const std::optional<nvme::status> answer = which->answer;
            ready_.erase(which);
            const nvme::status status = answer ? *answer : perform(op);
            ++orders_.answered;
            op.done(op, status);
            if (gone) return true;
        }
        destroyed_ = nullptr;
        return budget != 0;
    }
    bool has_work() noexcept override { return !ready_.empty() || orders_.number != seen_; }

    nvme::status perform(const io_op& op) noexcept {
        struct copy final : io_op {
            nvme::status result = sc::internal_error;
        } inner;
        inner.kind = op.kind;
        inner.fua = op.fua;
        inner.first_block = op.first_block;
        inner.block_count = op.block_count;
        inner.data = op.data;
        inner.ranges = op.ranges;
        inner.done = [](io_op& done, nvme::status s) noexcept {
            static_cast<copy&>(done).result = s;
        };
        store_->submit(inner);
        return inner.result;
    }

    controlled_device& device_;
    fault_orders& orders_;
    engine::reactor& reactor_;
    std::unique_ptr<io_channel> store_;
    std::uint32_t seen_, releases_, resets_, vanished_;
    node_list ready_, held_, lost_;
    engine::member_timer<&fault_channel::look_again> look_{*this};
    bool* destroyed_ = nullptr;
};

result<std::unique_ptr<io_channel>> controlled_device::open_channel(engine::reactor& r) {
    FULMAR_TRY(auto store, store_->open_channel(r));
    return std::make_unique<fault_channel>(*this, r, std::move(store));
}

}  // namespace

result<std::unique_ptr<fault_device>> make_fault_device(const fault_options& options,
                                                        engine::reactor* control) {
    FULMAR_TRY(auto store, make_ram_device({.size_bytes = options.size_bytes,
                                            .block_bytes = options.block_bytes}));
    return std::make_unique<controlled_device>(std::move(store), options, control);
}

}  // namespace fulmar::backend
