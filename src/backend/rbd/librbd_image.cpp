// Images through librbd.
#include "client.hpp"
#include "image.hpp"

#include <fmt/format.h>
#include <rbd/librbd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

namespace fulmar::backend::rbd {

namespace {

std::string image_name(const rbd_options& o) {
    return fmt::format("{}/{}{}{}{}{}", o.pool, o.ceph_namespace,
                       o.ceph_namespace.empty() ? "" : "/", o.image, o.snapshot.empty() ? "" : "@",
                       o.snapshot);
}

class librbd_image final : public image {
  public:
    librbd_image(std::shared_ptr<client> by, image_watcher& watcher)
        : client_(std::move(by)), watcher_(watcher) {}
    ~librbd_image() override {
        if (watched_) rbd_update_unwatch(image_, watch_);
        if (image_ != nullptr) rbd_close(image_);
        if (pool_ != nullptr) rados_ioctx_destroy(pool_);
    }
    librbd_image(const librbd_image&) = delete;
    librbd_image& operator=(const librbd_image&) = delete;

    result<image_facts> open(const rbd_options& options, const std::string& former_lock);

    void read(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        auto* const into = reinterpret_cast<char*>(j.memory.data());
        request(j, [=, this](rbd_completion_t c) {
            return rbd_aio_read(image_, offset, bytes, into, c);
        });
    }
    void write(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        const auto* const from = reinterpret_cast<const char*>(j.memory.data());
        request(j, [=, this](rbd_completion_t c) {
            return rbd_aio_write(image_, offset, bytes, from, c);
        });
    }
    void zero(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        request(j, [=, this](rbd_completion_t c) {
            return rbd_aio_write_zeroes(image_, offset, bytes, c, 0, 0);
        });
    }
    void discard(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        request(
            j, [=, this](rbd_completion_t c) { return rbd_aio_discard(image_, offset, bytes, c); });
    }
    void flush(job& j) noexcept override {
        request(j, [this](rbd_completion_t c) { return rbd_aio_flush(image_, c); });
    }
    image_look look(std::uint64_t& bytes) noexcept override;

  private:
    // A request that librbd does not take has no end.
    template <typename Make>
    static void request(job& j, Make make) noexcept {
        rbd_completion_t c = nullptr;
        int r = rbd_aio_create_completion(&j, &librbd_image::ended, &c);
        if (r >= 0) {
            r = make(c);
            if (r >= 0) return;
            rbd_aio_release(c);
        }
        j.request_ended(r);
    }
    static void ended(rbd_completion_t c, void* of) {
        const std::int64_t result = rbd_aio_get_return_value(c);
        rbd_aio_release(c);
        static_cast<job*>(of)->request_ended(result);
    }
    static void changed(void* of) { static_cast<librbd_image*>(of)->watcher_.on_image_changed(); }
    result<void> open_in_pool(const rbd_options& options);
    result<void> check_features(const rbd_options& options);
    result<void> take_lock(const rbd_options& options, const std::string& former_lock);
    [[nodiscard]] result<std::string> lock_owner(const rbd_options& options);
    [[nodiscard]] bool asks_for_cache();
    [[nodiscard]] bool is_watching(const std::string& address);

    std::shared_ptr<client> client_;
    image_watcher& watcher_;
    rados_ioctx_t pool_ = nullptr;
    rbd_image_t image_ = nullptr;
    std::uint64_t watch_ = 0;
    bool watched_ = false;
    bool read_only_ = false;
};

result<void> librbd_image::open_in_pool(const rbd_options& options) {
    if (const int r = rados_ioctx_create(client_->rados(), options.pool.c_str(), &pool_); r < 0) {
        if (r == -ENOENT)
            return fail(errc::not_found, fmt::format("there is no pool {}", options.pool), "/pool");
        return cluster_failed(-r, fmt::format("pool {}", options.pool), options);
    }
    rados_ioctx_set_namespace(pool_, options.ceph_namespace.c_str());
    read_only_ = !options.snapshot.empty();
    const char* const name = options.image.c_str();
    const int r = read_only_ ? rbd_open_read_only(pool_, name, &image_, options.snapshot.c_str())
                             : rbd_open(pool_, name, &image_, nullptr);
    if (r < 0) image_ = nullptr;
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
    if (const int r = rbd_get_features(image_, &features); r < 0)
        return cluster_failed(-r, image_name(options), options);
    if ((features & RBD_FEATURE_EXCLUSIVE_LOCK) == 0)
        return fail(errc::conflict, fmt::format("{} has no exclusive lock", image_name(options)),
                    "/image",
                    fmt::format("`rbd feature enable {} exclusive-lock`", image_name(options)));
    if (asks_for_cache())
        return fail(errc::conflict,
                    fmt::format("{} or its pool asks for a cache in the client (rbd_cache)",
                                image_name(options)),
                    "/image",
                    fmt::format("`rbd config image remove {0} rbd_cache`, or `rbd config pool "
                                "remove {1} rbd_cache`",
                                image_name(options), options.pool));
    return {};
}

bool librbd_image::asks_for_cache() {
    int count = 0;
    rbd_config_image_list(image_, nullptr, &count);
    std::vector<rbd_config_option_t> settings(static_cast<std::size_t>(std::max(count, 0)));
    if (settings.empty() || rbd_config_image_list(image_, settings.data(), &count) < 0)
        return false;
    const bool asks = std::any_of(settings.begin(), settings.begin() + count, [](const auto& s) {
        return std::string_view(s.name) == "rbd_cache" && std::string_view(s.value) != "false";
    });
    rbd_config_image_list_cleanup(settings.data(), count);
    return asks;
}

// Empty: nobody has it.
result<std::string> librbd_image::lock_owner(const rbd_options& options) {
    rbd_lock_mode_t mode = RBD_LOCK_MODE_EXCLUSIVE;
    std::array<char*, 4> owners{};
    std::size_t count = owners.size();
    const int r = rbd_lock_get_owners(image_, &mode, owners.data(), &count);
    if (r == -ENOENT || (r == 0 && count == 0)) return std::string();
    if (r == -ESHUTDOWN) client_->set_fenced();
    if (r < 0) return cluster_failed(-r, image_name(options), options);
    std::string first = owners[0];
    rbd_lock_get_owners_cleanup(owners.data(), count);
    return first;
}

bool librbd_image::is_watching(const std::string& address) {
    std::vector<rbd_image_watcher_t> watchers(16);
    std::size_t count = watchers.size();
    int r = rbd_watchers_list(image_, watchers.data(), &count);
    if (r == -ERANGE) {
        watchers.resize(count);
        r = rbd_watchers_list(image_, watchers.data(), &count);
    }
    if (r < 0) return true;
    const bool is =
        std::any_of(watchers.begin(), watchers.begin() + static_cast<std::ptrdiff_t>(count),
                    [&address](const auto& w) { return address == w.addr; });
    rbd_watchers_list_cleanup(watchers.data(), count);
    return is;
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
        const int r = rbd_lock_break(image_, RBD_LOCK_MODE_EXCLUSIVE, owner.c_str());
        if (r < 0 && r != -ENOENT) return cluster_failed(-r, image_name(options), options);
    } else if (!owner.empty() && is_watching(owner)) {
        return fail(errc::conflict, fmt::format("{} is locked by {}", image_name(options), owner),
                    "/image",
                    fmt::format("end what uses it, or fence it: `rbd lock list {0}`, then `rbd "
                                "lock remove {0} ID LOCKER`",
                                image_name(options)));
    }
    if (const int r = rbd_lock_acquire(image_, RBD_LOCK_MODE_EXCLUSIVE); r < 0) {
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
    rbd_image_info_t info{};
    std::array<char, 128> id{};
    facts.cluster = client_->cluster();
    int r = rbd_get_id(image_, id.data(), id.size());
    facts.id = id.data();
    if (r >= 0) r = rbd_stat(image_, &info, sizeof info);
    if (r >= 0 && read_only_) {
        std::uint64_t snapshot = 0;
        r = rbd_snap_get_id(image_, options.snapshot.c_str(), &snapshot);
        facts.id += fmt::format("@{}", snapshot);
    }
    if (r >= 0 && !read_only_) {
        r = rbd_update_watch(image_, &watch_, &librbd_image::changed, this);
        watched_ = r >= 0;
    }
    if (r < 0) return cluster_failed(-r, image_name(options), options);
    facts.size_bytes = info.size;
    facts.object_bytes = info.obj_size;
    return facts;
}

image_look librbd_image::look(std::uint64_t& bytes) noexcept {
    std::uint64_t size = 0;
    int ours = 1;
    int r = read_only_ ? 0 : rbd_is_exclusive_lock_owner(image_, &ours);
    if (r >= 0 && ours != 0) r = rbd_get_size(image_, &size);
    if (r >= 0 && ours != 0) {
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
