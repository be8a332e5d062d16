# The image of fulmard. Its steps are the scripts that people and the build machine use: ./dev setup and
# ./dev build. How to run it, and how this file is checked: docs/docker.md.

FROM debian:12 AS build
WORKDIR /src
# The packages change rarely, the sources often: two layers.
COPY dev ./
COPY src/cmake/packages.txt src/cmake/
RUN ./dev setup build
COPY CMakeLists.txt CMakePresets.json ./
COPY config config
COPY include include
COPY src src
# Small: without what devices on NBD servers and images of Ceph need.
RUN FULMAR_NBD=OFF FULMAR_RBD=OFF ./dev build release --programs
RUN DESTDIR=/out cmake --install build/release --prefix /usr --strip

FROM debian:12-slim
COPY dev /setup/
COPY src/cmake/packages.txt /setup/src/cmake/
RUN /setup/dev setup runtime && rm -rf /setup /var/lib/apt/lists/*
RUN useradd --system --user-group --home-dir /var/lib/fulmar --create-home fulmar \
    && install -d -o fulmar -g fulmar /etc/fulmar /run/fulmar
COPY --from=build /out /
COPY config/container.json /usr/share/fulmar/container.json
COPY config/container-start /usr/bin/container-start
USER fulmar
WORKDIR /var/lib/fulmar
VOLUME /var/lib/fulmar
# NVMe/TCP I/O and discovery.
EXPOSE 4420 8009
ENTRYPOINT ["/usr/bin/container-start"]
