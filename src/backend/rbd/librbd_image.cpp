// Images through librbd's interface in C++, which alone leaves the memory of a read to librbd: what
// is given up after a deadline must not be written into by a thread that comes later.
#include "client.hpp"
#include "image.hpp"

#include <fmt/format.h>
#include <rbd/librbd.hpp>

#include <algorithm>
#include <cerrno>
#include <list>
#include <optional>
#include <utility>
#include <vector>

namespace fulmar::backend::rbd {

namespace {

std::string image_name(const rbd_options& o) {
    return fmt::format("{}/{}{}{}{}{}", o.pool, o.ceph_namespace,
                       o.ceph_namespace.empty() ? "" : "/", o.image, o.snapshot.empty() ? "" : "@",
                       o.snapshot);
}

class librbd_image final : public image, private librbd::UpdateWatchCtx {
  public:
    librbd_image(std::shared_ptr<client> by, image_watcher& watcher)
        : client_(std::move(by)), watcher_(watcher) {}
    ~librbd_image() override {
        if (watched_) image_.update_unwatch(watch_);
        image_.close();
    }
    librbd_image(const librbd_image&) = delete;
    librbd_image& operator=(const librbd_image&) = delete;

    result<image_facts> open(const rbd_options& options, const std::string& former_lock);

    void read(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        auto* const c = completion(j);
        made(j, c, image_.aio_read2(offset, bytes, j.data, c, 0));
    }
    void write(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        auto* const c = completion(j);
        made(j, c, image_.aio_write(offset, bytes, j.data, c));
    }
    void zero(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        auto* const c = completion(j);
        made(j, c, image_.aio_write_zeroes(offset, bytes, c, 0, 0));
    }
    void discard(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        auto* const c = completion(j);
        made(j, c, image_.aio_discard(offset, bytes, c));
    }
    void flush(job& j) noexcept override {
        auto* const c = completion(j);
        made(j, c, image_.aio_flush(c));
    }
    image_look look(std::uint64_t& bytes) noexcept override;

  private:
    using aio = librbd::RBD::AioCompletion;

    static aio* completion(job& j) {
        return std::make_unique<aio>(&j, &librbd_image::ended).release();  // it deletes itself
    }
    static void ended(librbd::completion_t c, void* of) {
        auto* const done = static_cast<aio*>(c);
        const std::int64_t result = done->get_return_value();
        done->release();
        static_cast<job*>(of)->request_ended(result);
    }
    // A request that librbd does not take has no end.
    static void made(job& j, aio* c, int result) noexcept {
        if (result >= 0) return;
        c->release();
        j.request_ended(result);
    }
    void handle_notify() override { watcher_.on_image_changed(); }
    result<void> open_in_pool(const rbd_options& options);
    result<void> check_features(const rbd_options& options);
    result<void> take_lock(const rbd_options& options, const std::string& former_lock);
    [[nodiscard]] result<std::string> lock_owner(const rbd_options& options);
    [[nodiscard]] bool is_watching(const std::string& address);

    std::shared_ptr<client> client_;
    image_watcher& watcher_;
    librados::IoCtx pool_{};
    librbd::RBD rbd_{};
    librbd::Image image_{};
    std::uint64_t watch_ = 0;
    bool watched_ = false;
    bool read_only_ = false;
};

result<void> librbd_image::open_in_pool(const rbd_options& options) {
    if (const int r = client_->rados().ioctx_create(options.pool.c_str(), pool_); r < 0) {
        if (r == -ENOENT)
            return fail(errc::not_found, fmt::format("there is no pool {}", options.pool), "/pool");
        return cluster_failed(-r, fmt::format("pool {}", options.pool), options);
    }
    pool_.set_namespace(options.ceph_namespace);
    read_only_ = !options.snapshot.empty();
    const int r = read_only_ ? rbd_.open_read_only(pool_, image_, options.image.c_str(),
                                                   options.snapshot.c_str())
                             : rbd_.open(pool_, image_, options.image.c_str());
    if (r == -ENOENT)
        return fail(errc::not_found, fmt::format("there is no {}", image_name(options)),
                    options.snapshot.empty() ? "/image" : "/snapshot",
                    fmt::format("`rbd create --size 10G --image-feature "
                                "layering,exclusive-lock,object-map,fast-diff {}`",
                                image_name(options)));
    if (r == -ESHUTDOWN) client_->set_fenced();
    if (r < 0) return cluster_failed(-r, image_name(options), options);
    return {};
}

// Without an exclusive lock there is nothing to fence us by; with a cache what was acknowledged
// would go with this process.
result<void> librbd_image::check_features(const rbd_options& options) {
    if (read_only_) return {};
    std::uint64_t features = 0;
    if (const int r = image_.features(&features); r < 0)
        return cluster_failed(-r, image_name(options), options);
    if ((features & RBD_FEATURE_EXCLUSIVE_LOCK) == 0)
        return fail(errc::conflict, fmt::format("{} has no exclusive lock", image_name(options)),
                    "/image",
                    fmt::format("`rbd feature enable {} exclusive-lock`", image_name(options)));
    std::vector<librbd::config_option_t> settings;
    if (image_.config_list(&settings) < 0) return {};
    const auto cached = std::find_if(settings.begin(), settings.end(), [](const auto& s) {
        return s.name == "rbd_cache" && s.value != "false";
    });
    if (cached != settings.end())
        return fail(errc::conflict,
                    fmt::format("{} or its pool asks for a cache in the client (rbd_cache)",
                                image_name(options)),
                    "/image",
                    fmt::format("`rbd config image remove {0} rbd_cache`, or `rbd config pool "
                                "remove {1} rbd_cache`",
                                image_name(options), options.pool));
    return {};
}

// Empty: nobody has it.
result<std::string> librbd_image::lock_owner(const rbd_options& options) {
    rbd_lock_mode_t mode = RBD_LOCK_MODE_EXCLUSIVE;
    std::list<std::string> owners;
    const int r = image_.lock_get_owners(&mode, &owners);
    if (r == -ENOENT || (r == 0 && owners.empty())) return std::string();
    if (r == -ESHUTDOWN) client_->set_fenced();
    if (r < 0) return cluster_failed(-r, image_name(options), options);
    return owners.front();
}

bool librbd_image::is_watching(const std::string& address) {
    std::list<librbd::image_watcher_t> watchers;
    return image_.list_watchers(watchers) < 0 ||
           std::any_of(watchers.begin(), watchers.end(),
                       [&address](const auto& w) { return w.addr == address; });
}

// Asked politely, librbd would take an automatic lock away from whoever writes there. Who is dead
// (its watch has ended) is fenced by librbd itself; who we were before a restart, by us.
result<void> librbd_image::take_lock(const rbd_options& options, const std::string& former_lock) {
    if (read_only_) return {};
    FULMAR_TRY(const std::string owner, lock_owner(options));
    const bool former = !former_lock.empty() && owner == former_lock;
    if (!owner.empty() && owner == client_->address())
        return fail(errc::unavailable,
                    fmt::format("{} is still being closed by us", image_name(options)));
    if (former) {
        const int r = image_.lock_break(RBD_LOCK_MODE_EXCLUSIVE, owner);
        if (r < 0 && r != -ENOENT) return cluster_failed(-r, image_name(options), options);
    } else if (!owner.empty() && is_watching(owner)) {
        return fail(errc::conflict, fmt::format("{} is locked by {}", image_name(options), owner),
                    "/image",
                    fmt::format("end what uses it, or fence it: `rbd lock list {0}`, then `rbd "
                                "lock remove {0} ID LOCKER`",
                                image_name(options)));
    }
    if (const int r = image_.lock_acquire(RBD_LOCK_MODE_EXCLUSIVE); r < 0) {
        if (r == -ESHUTDOWN) client_->set_fenced();
        if (r == -EROFS || r == -EBUSY)
            return fail(errc::conflict, fmt::format("{} is locked", image_name(options)), "/image");
        return cluster_failed(-r, fmt::format("the lock of {}", image_name(options)), options);
    }
    return {};
}

result<image_facts> librbd_image::open(const rbd_options& options, const std::string& former_lock) {
    const on_cpus here(options.cpus);
    FULMAR_CHECK(open_in_pool(options));
    FULMAR_CHECK(check_features(options));
    FULMAR_CHECK(take_lock(options, former_lock));
    image_facts facts{.read_only = read_only_};
    if (!read_only_) {
        FULMAR_TRY(facts.lock, lock_owner(options));
    }
    librbd::image_info_t info{};
    int r = client_->rados().cluster_fsid(&facts.cluster);
    if (r >= 0) r = image_.get_id(&facts.id);
    if (r >= 0) r = image_.stat(info, sizeof info);
    if (r >= 0 && read_only_) {
        std::uint64_t snapshot = 0;
        r = image_.snap_get_id(options.snapshot, &snapshot);
        facts.id += fmt::format("@{}", snapshot);
    }
    if (r >= 0 && !read_only_) {
        r = image_.update_watch(this, &watch_);
        watched_ = r >= 0;
    }
    if (r < 0) return cluster_failed(-r, image_name(options), options);
    facts.size_bytes = info.size;
    facts.object_bytes = info.obj_size;
    return facts;
}

image_look librbd_image::look(std::uint64_t& bytes) noexcept {
    std::uint64_t size = 0;
    bool ours = true;
    int r = read_only_ ? 0 : image_.is_exclusive_lock_owner(&ours);
    if (r >= 0 && ours) r = image_.size(&size);
    if (r >= 0 && ours) {
        bytes = size;
        return image_look::ours;
    }
    if (r == -ESHUTDOWN) {
        client_->set_fenced();
        return image_look::fenced;
    }
    if (r == -ENOENT) return image_look::gone;
    return r >= 0 ? image_look::lock_lost : image_look::unknown;
}

class librbd_cluster final : public cluster {
  public:
    result<opened_image> open(const rbd_options& options, const std::string& former_lock,
                              image_watcher& watcher) override {
        FULMAR_TRY(auto by, client::of(options));
        auto made = std::make_unique<librbd_image>(std::move(by), watcher);
        FULMAR_TRY(auto facts, made->open(options, former_lock));
        return opened_image{.image = std::move(made), .facts = std::move(facts)};
    }
};

}  // namespace

cluster& librbd() noexcept {
    static librbd_cluster through;
    return through;
}

}  // namespace fulmar::backend::rbd
